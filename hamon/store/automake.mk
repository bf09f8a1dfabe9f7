# hamon/store: what is built here
