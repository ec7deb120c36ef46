# One life of the simulation again, told in full: make simulate SEED=7. Without SEED: new lives for ten minutes.
.PHONY: simulate simulate-mutations
simulate:
ifdef SEED
	go test ./test/simulation -run TestLives -count=1 -v -seed $(SEED) -seeds 1 -detail
else
	go test ./test/simulation -run TestLives -count=1 -v -for 10m -timeout 20m
endif

# Removes each check from the code, one at a time, and demands that a life finds it within a minute.
simulate-mutations:
	DBMIGRATE_EFFORT=whole go test ./test/simulation -run TestMutations -count=1 -v -parallel 1 -timeout 60m
