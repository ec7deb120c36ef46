/* An operator runs `commands` commands one after the other, each chosen freely; after a death the next one is the re-run. The last
 * command of all (`last`) begins when no other command can still take a claim, and does not die. pkg/migrate is written step for step like
 * migrate.pml, rollback.pml and gc.pml.
 *
 * A command looks at the status before its claim, and the claim names the gen it saw. When the claim succeeds, nothing came between the two, so
 * they are one step here; a claim that lands late names the gen of its own time. The file is looked at in between too (was the object set back?);
 * that look can only stop the command, and NUMBERS says that it never does. */

/* An export of a lineage is stamped after it. Where stamps can vanish the metadata, which is not in the model, still has them. One from before the
 * object was last opened lacks what was written since: a slow command's PUT meets the version that it expects again where somebody set the file back. */
#if BACKUPS > 0
#define SINCE_OPENED(f) (STAMP(f) >= opened || EXPORT_NOOPEN)
#else
#define SINCE_OPENED(f) true
#endif
#define EXPORTED(f, lineage) (!FENCED(f) && (STAMP(f) >= (lineage) || VACUUM || VACUUMS || NO_STAMP) && SINCE_OPENED(f))
#define CLEAN(status_gen) (phase == EMPTY && !FENCED(file) && STAMP(file) == (status_gen))
#define SUPERSEDED(f) (!NO_STALE_MARK && (NON(f) > g || (!NO_STALE_STAMP && STAMP(f) > g)))

byte running = OPERATORS;     /* operators that have not ended */
byte unclaimed = COMMANDS;    /* their commands that may still take a claim */

inline end_command(how) {
	if
	:: last && how > 0 -> ended = how; check()
	:: else -> skip
	fi;
	if
	:: !last && g == 0 -> unclaimed--
	:: else -> skip
	fi;
	forget()
}

#if SPLIT_MODE
#define forget_merging() merging = 0
#else
#define forget_merging() skip
#endif
#if BIRTHS > 0
#define forget_nobody() nobody = 0
#define note_nobody() nobody = (file == ABSENT)
#else
#define forget_nobody() skip
#define note_nobody() skip
#endif
inline forget() { forget_nobody(); g = 0; l = 0; seen = 0; held = 0; copied = 0; dirty = 0; fenced = 0; inside = 0; x = 0; answer = 0; forget_merging() }

/* The claim was given. */
inline claimed() {
	g = gen; l = lin;
	if
	:: !last -> unclaimed--
	:: else -> skip
	fi
}

/* One batch: the rows of a key range. A corrupt one arrives without its rows. */
inline send_rows(range) {
	if
	:: send(ROWS, g, BATCH(range, CONTENT(seen)), 0)
	:: corrupt > 0 -> corrupt--; send(ROWS, g, BATCH(range, 0), 0)
	fi;
	if
	:: IS(YES)
	:: IS(STALE); goto superseded
	:: IS(REFUSED); goto give_up
	:: IS(UNKNOWN); goto give_up
	fi
}

proctype Operator(byte commands; bit last) {
	byte g;        /* the command's claim */
	byte l;        /* the lineage that the claim found */
	int seen;      /* the version of the file that is being worked on */
	bit held;      /* `seen` is set, before the fence */
	bit copied;    /* the object holds what `seen` holds */
	bit dirty;     /* the object may hold rows under this claim */
	bit fenced;    /* a fence PUT was sent */
	bit inside;    /* our fence is in the file */
#if SPLIT_MODE
	bit merging;   /* rollback: the object is MERGING */
#endif
#if BIRTHS > 0
	bit nobody;    /* migrate: there was no file; where that is seen before the claim, as a rule, nothing is claimed */
#endif
	byte x;        /* migrate: all was clean before the claim; rollback: the gen in the status, then the content to put back */

next:	atomic {
		(!last || WAIT_FOR_OTHERS) -> skip;
		if
		:: commands == 0 -> goto over
		:: else -> commands--;
			if
#if !SPLIT_MODE || FULL_TOO
			:: SCRIPT != ROLLBACK_ONLY -> printf("%d: MIGRATE\n", _pid); goto migrate
#endif
#if SPLIT_MODE
			:: SCRIPT != ROLLBACK_ONLY -> printf("%d: SPLIT\n", _pid); goto split
#endif
			:: SCRIPT != MIGRATE_ONLY -> printf("%d: ROLLBACK\n", _pid); goto rollback
#if GC
			:: !last -> unclaimed--; printf("%d: GC\n", _pid); goto collect
#endif
			fi
		fi
	};

#if !SPLIT_MODE || FULL_TOO
#include "migrate.pml"
#endif
#include "rollback.pml"
#if SPLIT_MODE
#include "split.pml"
#include "merge.pml"
#endif
#if GC
#include "gc.pml"
#endif

/* How a command ends. */
in_store: skip;
#if UNCONDITIONAL > 0
/* Engine.Settle: a look for a request that took longer than the operator said. A user whom a newer command has claimed is that one's to look after. */
	(in_flight == 0 || NO_SETTLE) -> skip;
	atomic {
		if
		:: LIN(file) != lin && gen == g && !NO_SETTLE -> goto conflict
		:: else -> skip
		fi
	};
#endif
	atomic { printf("%d: migrate succeeds\n", _pid); end_command(DONE_STORE); goto next };
#if SPLIT_MODE
in_cold: atomic { printf("%d: split succeeds\n", _pid); end_command(DONE_SPLIT); goto next };
#endif
in_file: atomic { printf("%d: rollback succeeds\n", _pid); end_command(DONE_FILE); goto next };
closed: atomic { printf("%d: fails, nothing left open\n", _pid); last_fails(); end_command(DONE_CLOSED); goto next };  /* failed; the account says that the user is served */
open: atomic { printf("%d: fails, left open\n", _pid); last_fails(); end_command(0); goto next };            /* failed; the account says that writes may wait until a re-run */
superseded: atomic {
		printf("%d: superseded\n", _pid);
		if
		:: last -> last_superseded()
		:: else -> skip
		fi;
		end_command(0); goto next
	};
conflict: atomic { printf("%d: reports a conflict\n", _pid); alarm(); end_command(0); goto next };
refused:  atomic { printf("%d: refused\n", _pid); end_command(0); goto next };  /* by the claim: nothing changed */
crashed:  atomic { end_command(0); goto next };
#if GC
collected: atomic { forget(); goto next };                   /* gc took no claim, and was not counted as one that may */
#endif

over:	atomic {
		if
		:: !last -> running--
		:: else -> skip
		fi
	}
}
