/* Composite requests: worker/src/admin/composites, internal/testkit/world/composite.go. The Worker takes several steps of a command, one
 * after the other. As long as its operator waits for the answer, the two are one: the operator's own steps in migrate.pml. A composite is
 * `loose` when its operator has died, has given up waiting, or has sent the same request again: the Worker goes on with the rest, step by
 * step, at any later time, and may die between any two. COMPOSITES is how many become loose, one at a time. */

mtype = { L_CLAIM, L_LOOK, L_ROWS, L_PUT, L_READY, L_ACTIVATE };

typedef Loose { mtype step; byte g; int seen }  /* the next step; the claim, or the gen that it names; the version, or the content, that is moved */
Loose loose;
byte may_loose = COMPOSITES;

/* The last command of all is answered, unless answers fail. */
#define LETS_LOOSE (may_loose > 0 && loose.step == 0 && (!last || FAILURES > 0))

/* Inside a command: the rest of its composite, from this step on, goes on without it. */
inline let_loose(step_, g_) {
	may_loose--; loose.step = step_; loose.g = g_; loose.seen = seen;
	printf("%d: its Worker goes on alone with %e(%d)\n", _pid, step_, g_)
}

inline next_step(step_) {
	loose.step = step_; answer = 0;
	if
	:: step_ == 0 -> loose.g = 0; loose.seen = 0
	:: else -> skip
	fi
}

inline next_if_yes(step_) {
	if
	:: answer == YES -> next_step(step_)
	:: else -> next_step(0)
	fi
}

active proctype Worker() {
end:	do
	:: atomic { loose.step != 0 -> printf("%d: the Worker dies\n", _pid); next_step(0) }
	/* import. A claim that found the user in another phase than EMPTY, IMPORTING or READY has nothing to import. */
	:: atomic { loose.step == L_CLAIM ->
			arrive(CLAIM_MIGRATE, loose.g, 0, 0);
			if
			:: answer == YES && phase == IMPORTING -> loose.g = gen; next_step(L_LOOK)
			:: else -> next_step(0)
			fi
		}
	:: atomic { loose.step == L_LOOK ->
			if
			:: file == loose.seen -> next_step(L_ROWS)
			:: else -> next_step(0)
			fi
		}
	:: atomic { loose.step == L_ROWS -> arrive(ROWS, loose.g, BATCH(15, CONTENT(loose.seen)), 0); next_step(0) }
	/* switch. The same request again finds its own fence, by the very bytes. */
	:: atomic { loose.step == L_PUT ->
			arrive(PUT, 0, loose.seen, FENCED_FILE(BYTES(loose.seen), loose.g, loose.g));
			if
			:: answer == YES || file == FENCED_FILE(BYTES(loose.seen), loose.g, loose.g) || SWITCH_GOES_ON || (SWITCH_ANY_FENCE && FENCED(file)) -> next_step(L_READY)
			:: else -> next_step(0)
			fi
		}
	:: atomic { loose.step == L_READY ->
			arrive(MAKE_READY, loose.g, CONTENT(loose.seen), 0); next_if_yes(L_ACTIVATE)
		}
	:: atomic { loose.step == L_ACTIVATE -> arrive(ACTIVATE, loose.g, 0, 0); next_step(0) }
	od
}
