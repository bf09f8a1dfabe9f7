# hamon/alert: what is built here
