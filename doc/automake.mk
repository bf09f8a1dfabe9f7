# doc: what is built here
