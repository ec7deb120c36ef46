/* Prints the model's transition table by asking store.pml itself, phase by phase and message by message: one simulated run, no search.
 * scripts/model makes docs/cutover/transitions.json of it; tests in Go and TypeScript hold the code's table against that. */

#include "checks.pml"
#include "state.pml"
#include "store.pml"

mtype answer;

/* An object in phase p, whose last claim is 3. */
inline prepare(p, for_migrate) {
	phase = p; gen = 3; migrating = for_migrate;
	if
	:: p == EMPTY -> lin = 0; content = 0
	:: p == IMPORTING || p == READY -> lin = 3; content = 5
	:: else -> lin = 2; content = 5
	fi
}

inline print_next(p) {
	if
	:: answer == YES -> printf(" %e\n", phase)
	:: else -> assert(phase == p && gen == 3); printf(" refused\n")
	fi
}

#define TRY(p, name, for_migrate, message, by, body) \
	printf("%e", p); printf(name); prepare(p, for_migrate); tell_store(message, by, body); print_next(p)

/* What only reads, or is the application's, needs a phase and changes nothing. */
#define ALLOW(p, name, allowed) \
	printf("%e", p); printf(name); prepare(p, 1); if :: allowed -> answer = YES :: else -> answer = REFUSED fi; print_next(p)

#define ROW(p) \
	TRY(p, " claim-migrate", 1, CLAIM_MIGRATE, 3, 0); \
	TRY(p, " claim-rollback", 1, CLAIM_ROLLBACK, 3, 0); \
	TRY(p, " claim-conflict", 1, CLAIM_MIGRATE, 2, 0); \
	TRY(p, " stale-claim", 1, RESET, 2, 0); \
	TRY(p, " reset", 1, RESET, 3, 0); \
	TRY(p, " schema", 1, ROWS, 3, BATCH(15, 5)); \
	TRY(p, " rows", 1, ROWS, 3, BATCH(15, 5)); \
	TRY(p, " finish", 1, ROWS, 3, BATCH(15, 5)); \
	ALLOW(p, " digest", p != EMPTY); \
	TRY(p, " ready", 1, MAKE_READY, 3, 5); \
	TRY(p, " ready-other-digest", 1, MAKE_READY, 3, 4); \
	TRY(p, " activate", 1, ACTIVATE, 3, 0); \
	TRY(p, " activate-under-rollback", 0, ACTIVATE, 3, 0); \
	ALLOW(p, " export", p == READY || p == ACTIVE || p == SEALED); \
	TRY(p, " release", 1, RELEASE, 3, 0); \
	ALLOW(p, " write", TAKES_WRITES); \
	ALLOW(p, " read", p == ACTIVE || p == SEALED)

init {
	atomic { ROW(EMPTY); ROW(IMPORTING); ROW(READY); ROW(ACTIVE); ROW(SEALED) }
}
