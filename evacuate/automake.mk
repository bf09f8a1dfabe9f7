# evacuate: what is built here
