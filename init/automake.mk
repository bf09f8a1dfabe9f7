# init: what is built here
