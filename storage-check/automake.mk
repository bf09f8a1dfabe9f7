# storage-check: what is built here
