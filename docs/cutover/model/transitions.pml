/* Prints the model's transition table by asking store.pml itself, phase by phase and message by message: one simulated run, no search.
 * scripts/model makes docs/cutover/transitions.json of it; tests in Go and TypeScript hold the code's table against that. */

#include "checks.pml"
#include "state.pml"
#include "store.pml"

mtype answer;
mtype p;   /* the phase whose row is printed */
byte n;

/* An object in phase p, whose last claim is 3 and was for `for_`. SPLITTING holds what that claim imports; `again`: the other split phases, too. */
inline prepare(for_, again) {
	phase = p; gen = 3; intent = for_;
	if
	:: p == EMPTY -> lin = 0; content = 0
	:: p == IMPORTING || p == READY || p == SPLITTING || again -> lin = 3; content = 5
	:: else -> lin = 2; content = 5
	fi
}

inline print_next() {
	if
	:: answer == YES -> printf(" %e\n", phase)
	:: else -> assert(phase == p && gen == 3); printf(" refused\n")
	fi
}

#define TRY(name, for_, message, by, body) \
	printf("%e", p); printf(name); prepare(for_, 0); tell_store(message, by, body); print_next()
#define TRY_AGAIN(name, for_, message) \
	printf("%e", p); printf(name); prepare(for_, p != EMPTY); tell_store(message, 3, 0); print_next()

/* What only reads, or is the application's, needs a phase and changes nothing. */
#define ALLOW(name, allowed) \
	printf("%e", p); printf(name); prepare(TO_STORE, 0); if :: allowed -> answer = YES :: else -> answer = REFUSED fi; print_next()

#define ROW \
	TRY(" claim-migrate", TO_STORE, CLAIM_MIGRATE, 3, 0); \
	TRY(" claim-split", TO_STORE, CLAIM_SPLIT, 3, 0); \
	TRY(" claim-rollback", TO_STORE, CLAIM_ROLLBACK, 3, 0); \
	TRY(" claim-conflict", TO_STORE, CLAIM_MIGRATE, 2, 0); \
	TRY(" stale-claim", TO_STORE, RESET, 2, 0); \
	TRY(" reset", TO_STORE, RESET, 3, 0); \
	TRY(" reset-under-split", TO_SPLIT, RESET, 3, 0); \
	TRY(" reset-under-rollback", TO_FILE, RESET, 3, 0); \
	TRY_AGAIN(" reset-again-under-split", TO_SPLIT, RESET); \
	TRY(" schema", TO_STORE, ROWS, 3, BATCH(15, 5)); \
	TRY(" rows", TO_STORE, ROWS, 3, BATCH(15, 5)); \
	TRY(" finish", TO_STORE, ROWS, 3, BATCH(15, 5)); \
	ALLOW(" digest", p != EMPTY); \
	TRY(" ready", TO_STORE, MAKE_READY, 3, 5); \
	TRY(" ready-other-digest", TO_STORE, MAKE_READY, 3, 4); \
	TRY(" activate", TO_STORE, ACTIVATE, 3, 0); \
	TRY(" activate-under-split", TO_SPLIT, ACTIVATE, 3, 0); \
	TRY(" activate-under-rollback", TO_FILE, ACTIVATE, 3, 0); \
	TRY(" merge", TO_STORE, MERGE, 3, 0); \
	TRY(" merge-under-split", TO_SPLIT, MERGE, 3, 0); \
	TRY(" merge-under-rollback", TO_FILE, MERGE, 3, 0); \
	ALLOW(" export", p == READY || p == ACTIVE || p == SEALED || IS_SPLIT); \
	TRY(" release", TO_STORE, RELEASE, 3, 0); \
	TRY(" release-under-split", TO_SPLIT, RELEASE, 3, 0); \
	TRY(" release-under-rollback", TO_FILE, RELEASE, 3, 0); \
	ALLOW(" write", TAKES_WRITES); \
	ALLOW(" read", p == ACTIVE || p == SEALED); \
	ALLOW(" cold-write", TAKES_COLD_WRITES); \
	ALLOW(" cold-read", ANSWERS_COLD_READS)

init {
	d_step {
		do
		:: n < 10 ->
			if
			:: n == 0 -> p = EMPTY
			:: n == 1 -> p = IMPORTING
			:: n == 2 -> p = READY
			:: n == 3 -> p = ACTIVE
			:: n == 4 -> p = SEALED
			:: n == 5 -> p = SPLITTING
			:: n == 6 -> p = SPLIT_READY
			:: n == 7 -> p = COLD
			:: n == 8 -> p = COLD_SEALED
			:: n == 9 -> p = MERGING
			fi;
			n++;
			ROW
		:: else -> break
		od
	}
}
