/* gc of one user: pkg/migrate/gc.go. It takes no claim: its only write is conditional on the version that it proved. Included in the body
 * of Operator. */
collect: atomic {
		if
		:: FENCED(file) && !TOMBSTONE(file) -> seen = file
		:: else -> goto collected
		fi
	};
	atomic {
		if
		:: (phase == ACTIVE && lin == LIN(seen)) || GC_ANY_PHASE ->
			if
			:: receipt == CONTENT(seen) || GC_ANY_PHASE -> skip
			:: else -> goto conflict  /* the file is not what the receipt says */
			fi
		:: else -> goto collected
		fi
	};
	atomic {
		if
		:: GC_UNCOND -> send(PUT, 0, ANY, TOMBSTONE_OF(seen))
		:: GC_DELETES -> file = ABSENT; check()
		:: else -> send(PUT, 0, seen, TOMBSTONE_OF(seen))
		fi;
		goto collected
	};
