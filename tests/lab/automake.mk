# tests/lab: clusters of real parts on one machine; run by tests/all and tests/demo, not by make check
EXTRA_DIST += tests/all tests/bench tests/chaos tests/demo tests/nova tests/setup.sh tests/lab/automake.mk \
	tests/lab/bench.py tests/lab/bench_nova.py tests/lab/bench_nova_told.py tests/lab/bmc.py tests/lab/chaos.py tests/lab/cluster.py \
	tests/lab/cloud.py tests/lab/cloudconf.py tests/lab/cloudstate.py tests/lab/masakari.py tests/lab/config.py tests/lab/conftest.py tests/lab/crowd.py tests/lab/demo.py tests/lab/ending.py tests/lab/guests.py tests/lab/host.py \
	tests/lab/keeper.py tests/lab/lab.py tests/lab/labinit.c tests/lab/late_events.c tests/lab/linux.py \
	tests/lab/linuxguest.c tests/lab/neutronstub.py tests/lab/nova.py tests/lab/results.py tests/lab/scenarios.py tests/lab/spaces.py tests/lab/stores.py tests/lab/test_bench.py \
	tests/lab/test_commands.py tests/lab/test_daemons.py tests/lab/test_demo.py tests/lab/test_gate.py \
	tests/lab/test_chaos.py tests/lab/faults.py tests/lab/test_fault_devices.py tests/lab/test_fault_disks.py tests/lab/test_faults.py tests/lab/test_lab.py tests/lab/test_leftovers.py tests/lab/test_linux.py tests/lab/test_nova.py tests/lab/test_nova_hand.py tests/lab/test_nova_kills.py tests/lab/test_nova_many.py tests/lab/test_nova_return.py tests/lab/test_nova_refusals.py tests/lab/test_nova_choice.py tests/lab/test_reserved.py tests/lab/test_volumes.py tests/lab/ceph.py tests/lab/test_ceph.py tests/lab/test_nova_ceph.py \
	tests/lab/test_partition.py tests/lab/test_scenarios.py tests/lab/test_takeover.py tests/lab/test_power.py tests/lab/test_storage.py \
	tests/lab/timed.c tests/lab/volumes.py tests/lab/witness.asm
