# tests/lab: clusters of real parts on one machine; run by tests/all and tests/demo, not by make check
EXTRA_DIST += tests/lab/bmc.py tests/lab/config.py tests/lab/conftest.py tests/lab/guests.py \
	tests/lab/keeper.py tests/lab/lab.py tests/lab/labinit.c tests/lab/spaces.py tests/lab/stores.py \
	tests/lab/test_lab.py tests/lab/test_leftovers.py tests/lab/witness.asm
