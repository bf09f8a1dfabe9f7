# hamon: what is built here
