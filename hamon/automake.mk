# hamon: what is built here
noinst_HEADERS += hamon/config.h
