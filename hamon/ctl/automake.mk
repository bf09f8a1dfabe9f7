# hamon/ctl: what is built here
