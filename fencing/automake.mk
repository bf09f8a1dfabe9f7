# fencing: what is built here
