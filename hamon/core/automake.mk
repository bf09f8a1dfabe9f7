# hamon/core: what is built here
