/* The application's requests on hot and cold rows, through the router (worker/src/router). A save is conditional on the version that was read, so
 * reading and saving are one step here. */

#ifndef HOT_WRITES
#define HOT_WRITES 1
#endif

inline acknowledge() { acked = acked | next_bit; next_bit = next_bit << 1; writes--; printf("%d: application write acknowledged\n", _pid); print_state() }

/* Cold rows are written where they are found: in a file that has them, or with scope cold. */
proctype Writer(byte next_bit; byte writes; bit cold) {
end:	do
	:: atomic { writes > 0 && !FENCED(file) && (!cold || (file & COLD_ROWS)) -> file = file | next_bit; acknowledge(); check() }
	:: atomic { writes > 0 && phase == ACTIVE -> content = content | next_bit; acknowledge(); check() }
	:: atomic { writes > 0 && cold && TAKES_COLD_WRITES -> content = content | next_bit; acknowledge(); check() }
	od
}

#if VACUUMS > 0
/* The application's VACUUM drops the stamp. The file's change counter grows with it. */
byte vacuums = VACUUMS;
active proctype Vacuum() {
end:	do
	:: atomic { vacuums > 0 && STAMP(file) > 0 -> vacuums--; file = BYTES(file) + (ABA -> 0 : 1 << 18); printf("%d: VACUUM\n", _pid); print_state(); check() }
	od
}
#endif

#if LIFTS > 0
/* A fence is lifted by somebody who does not tell the object: what `rollback` does with --store-unreachable to a user whom it takes for one of
 * full mode, and the fence's other magic forbids. */
byte lifts = LIFTS;
active proctype Lifter() {
end:	do
	:: atomic { lifts > 0 && FENCED(file) -> lifts--; file = BYTES(file); printf("%d: lifts the fence\n", _pid); print_state(); check() }
	od
}
#endif

#if READERS > 0
/* A read is right when it answers what was authoritative at one moment between its begin and its end. `moments`: one bit for every content that
 * was. A refused attempt begins again, and leaves no trace. */
inline begin() { moments = 1 << AUTHORITATIVE; cold_stayed = COLD_IN_STORE; cold_seen = cold_stayed }
inline answered() { moments = 0; cold_stayed = 0; cold_seen = 0; hot = 0; cold = 0; copy = 0; p = 0; g = 0; l = 0 }

proctype Reader(byte reads) {
	byte hot;      /* the hot part of the answer */
	byte cold;     /* the cold part, or NOT_SPLIT */
	int copy;      /* the fenced version that was read, 0 if none */
	mtype p;       /* the object's phase, gen and lin when it was asked */
	byte g;
	byte l;

end:	do
	:: atomic { reads > 0 -> reads--; begin(); goto ask_cold }
	:: atomic { reads > 0 && phase != SPLIT_READY && phase != MERGING -> reads--; begin(); goto both }
	od;

/* A read with scope cold. */
ask_cold: atomic {
		if
		:: !IS_SPLIT -> cold = NOT_SPLIT
		:: IS_SPLIT -> cold = content
		fi;
		if
		:: phase == SPLIT_READY || phase == MERGING -> p = phase; g = gen; l = lin; goto look
		:: else -> check_cold_read(cold); answered(); goto end
		fi
	};
look:	atomic {
		if
		:: p == SPLIT_READY ->
			if
			:: SPLIT_READY_NO_LOOK -> skip
			:: else ->
				if
				:: LIN(file) == l -> cold = NOT_SPLIT
				:: else -> skip
				fi
			fi
		:: else ->
			if
			:: MERGING_NO_LOOK -> skip
			:: else ->
				if
				:: LIN(file) != l -> cold = NOT_SPLIT
				:: else -> skip
				fi
			fi
		fi;
		if
		:: (p == MERGING && cold != NOT_SPLIT) || (NO_SECOND_ASK && cold != NOT_SPLIT) || (NOT_SPLIT_NO_ASK && cold == NOT_SPLIT) -> check_cold_read(cold); answered(); goto end
		:: else -> skip
		fi
	};
	atomic {
		if
		:: phase == p && gen == g && lin == l -> check_cold_read(cold); answered(); goto end
		:: else -> cold = 0; p = 0; g = 0; l = 0; goto ask_cold
		fi
	};

/* queryBoth: the object's state, the hot read, the cold read, and the state once more. */
both:	atomic { p = phase; g = gen; cold = content;
		if
		:: goto at_file
		:: goto at_store
		fi
	};
at_file: atomic {
		if
		:: !FENCED(file) -> hot = CONTENT(file); goto then_cold
		:: else -> copy = file
		fi
	};
at_store: atomic {
		if
		:: phase == ACTIVE -> hot = content; copy = 0; goto then_cold
		:: phase == SEALED && (copy == 0 || LIN(copy) == lin) -> hot = content; l = lin; copy = 0; goto look_again_sealed
		:: else ->
			if
			:: copy == 0 -> goto at_file
			:: else -> goto look_again_file
			fi
		fi
	};
look_again_sealed: atomic {
		if
		:: LIN(file) == l -> l = 0; goto then_cold
		:: else -> hot = 0; l = 0; goto at_file
		fi
	};
look_again_file: atomic {
		if
		:: file == copy -> hot = CONTENT(copy); copy = 0; goto then_cold
		:: else -> copy = 0; goto at_file
		fi
	};
then_cold: atomic {
		if
		:: !IS_SPLIT -> cold = NOT_SPLIT; goto once_more
		:: phase == COLD || phase == COLD_SEALED ->
			if
			:: cold == content || BOTH_NO_COUNTER -> cold = content; goto once_more
			:: else -> goto again
			fi
		:: phase == SPLIT_READY || phase == MERGING -> if :: BOTH_NO_STATE -> cold = content; goto once_more :: else -> goto again fi
		fi
	};
once_more: atomic {
		if
		:: (phase == p && gen == g) || BOTH_NO_STATE -> check_both_read(hot, cold); answered(); goto end
		:: else -> goto again
		fi
	};
again:	atomic { phase != SPLIT_READY && phase != MERGING -> hot = 0; cold = 0; copy = 0; l = 0; goto both }
}
#endif
