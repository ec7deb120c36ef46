/* A birth inside the Worker: worker/src/router/birth.ts and worker/src/claims/birth.ts. A request writes for a user who has no file. The router asks
 * the object, looks at the file again, and lets the user begin in the object: it claims, puts an empty database under a fence where there is
 * nothing, and opens the object. Another request, of any router, ends what a birth left open. Births of two requests may run side by side, and
 * beside all commands; each may die at any message. The requests themselves are those of application.pml. */

proctype Birth() {
	byte g;
	byte x;          /* the gen that the object told */
	int seen;        /* the file as it was then: absent, or the fence of a birth */
	bit last;        /* for `send`: it may die at any message */

end:	atomic { (phase == EMPTY || BORN_CLAIM || BIRTH_ANY_PHASE) && (file == ABSENT || ENDS_BIRTH) -> x = gen; bearing++; printf("%d: BIRTH\n", _pid) };
	atomic {
		if
		:: file == ABSENT || (BORN_FENCE(file) && NON(file) <= x && !BIRTH_LEFT) -> seen = file
		:: else -> goto over
		fi
	};
	atomic {
		send(CLAIM_BIRTH, x, 0, 0);
		x = 0;
		if
		:: IS(YES); g = gen
		:: IS(LOST); goto over
		:: IS(REFUSED); goto over
		:: IS(UNKNOWN); goto over
		fi
	};
	atomic {
		if
		:: BIRTH_NO_FENCE || (BIRTH_NO_REFENCE && FENCED(seen)) -> answer = YES
		:: BIRTH_UNCOND -> send(PUT, 0, ANY, FENCED_FILE(0, g, g))
		:: else -> send(PUT, 0, seen, FENCED_FILE(0, g, g))
		fi;
		if
		:: IS(YES); seen = 0; goto open_it
		:: IS(LOST)
		:: IS(UNKNOWN)
		fi
	};
	/* It may have been ours all the same. Where somebody made a file, the claim is taken back: that file serves. */
	atomic {
		if
		:: file == FENCED_FILE(0, g, g) || BIRTH_GOES_ON -> seen = 0; goto open_it
		:: file != FENCED_FILE(0, g, g) && !BIRTH_GOES_ON && (FENCED(file) || file == ABSENT) -> goto over
		:: else -> skip
		fi
	};
	atomic {
		seen = 0; send(CLAIM_ROLLBACK, g, 0, 0);
		answer = 0; goto over
	};
open_it: atomic {
		send(MAKE_READY, g, 0, 0);
		if
		:: IS(YES)
		:: IS(STALE); goto over
		:: IS(REFUSED); goto over
		:: IS(UNKNOWN); goto over
		fi
	};
	atomic {
		send(ACTIVATE, g, 0, 0);
		answer = 0
	};
over:
crashed: atomic {
		bearing--; x = 0; seen = 0;
		/* Where it did not succeed, somebody else took the user, or an answer was lost. */
#ifdef WITH_FINISHES
		d_step { HOLD(FINISHES, SERVED || gen != g || FAILURES + CRASHES > 0) };
#endif
		g = 0; check()
	}
}
