/* rollback: pkg/migrate/rollback.go. Included in the body of Operator. */

/* The file that was migrated, by what the receipt says of its bytes. */
#define IS_KEPT(f) ((f) != ABSENT && !TOMBSTONE(f) && (CONTENT(f) == receipt || KEPT_ANY))

/* (*retreat).nothingToDo and maySeal: the status, then the file. */
rollback: atomic {
		if
#if RESTORES > 0
		:: NEWEST(file) > gen -> goto conflict  /* storeNotSetBack */
		:: else -> skip
		fi;
		if
#endif
		:: CLAIM_AFTER_LOOK -> seen = file; held = 1; goto claim_it
		:: !CLAIM_AFTER_LOOK && phase == EMPTY -> x = gen
		:: !CLAIM_AFTER_LOOK && phase == ACTIVE -> x = gen; l = lin
		:: !CLAIM_AFTER_LOOK && phase != EMPTY && phase != ACTIVE -> goto claim_it
		fi
	};
	atomic {
		if
		:: l == 0 && !FENCED(file) && (STAMP(file) == x || NOTHING_NOSTAMP) -> goto in_file  /* CLEAN: the phase was EMPTY */
		:: l > 0 && file != ABSENT && LIN(file) != l && !EXPORTED(file, l) && (NEWEST(file) <= x || SEAL_NOSTALE) -> goto conflict
#if RETURNS
		:: l > 0 && LIN(file) == l && NON(file) == l && IS_KEPT(file) && job == 0 -> seen = file; goto at_once
#endif
		:: else -> x = 0; l = 0; goto claim_it
		fi
	};

#if RETURNS
/* (*retreat).atOnce: the plain case. l is the gen that was seen from here to the claim's answer, and x the request's id. */
at_once: atomic {
		jobs++; l = x; x = jobs;
		if
		:: seen = 0; l = 0; x = 0; goto claim_it      /* a larger user */
		:: content == receipt -> skip                 /* nothing written, the status said */
		:: goto export_at_once
		fi;
		job = x; job_gen = l; job_seen = seen; seen = 0; executions = 1;
		run Return();
		if
		:: repeats > 0 -> repeats--; executions = 2; run Return()
		:: skip
		fi
	};
	atomic {
		if
		:: job_done == x -> job_done = 0; g = l + 1; x = 0;
			if
			:: !last -> unclaimed--
			:: else -> skip
			fi;
			goto in_file
		:: job != x && job_done != x -> skip           /* it failed at some step */
		:: failures > 0 -> failures--                 /* no answer came; it may go on */
		:: !last && crashes > 0 -> crashes--; goto crashed
		fi
	};
	/* Whether it has claimed, the object says: the same claim again. The single steps go on. */
ask_again: atomic {
		send(CLAIM_BACK, l, x, 0);
		x = 0;
		if
		:: IS(YES); claimed();
			if
			:: phase == EMPTY -> goto in_file
			:: else -> goto bring_back
			fi
		:: IS(LOST); l = 0; goto claim_it
		:: IS(UNKNOWN); goto open
		fi
	};

/* Export: the claim and all that the object holds come in one answer; the file was looked at before the claim. */
export_at_once: atomic {
		send(CLAIM_BACK, l, x, 0);
		if
		:: IS(YES); claimed();
			if
			:: phase == SEALED -> x = content; goto put_back
			:: else -> x = 0; goto open
			fi
		:: IS(LOST); seen = 0; l = 0; x = 0; goto claim_it
		:: IS(UNKNOWN); seen = 0; goto ask_again
		fi
	};
#endif

claim_it: atomic {
		if
		:: ABORT_FILE_ONLY && UNFINISHED -> claimed(); goto lift
		:: else -> skip
		fi;
#if RESTORES > 0
		if
		:: NEWEST(file) > gen -> goto conflict
		:: else -> skip
		fi;
#endif
		send(CLAIM_ROLLBACK, gen, 0, 0);
		if
		:: IS(UNKNOWN); goto open
		:: IS(YES);
			claimed();
			if
			:: phase == EMPTY -> seen = 0; held = 0; goto lift
#if SPLIT_MODE
			:: phase == SPLIT_READY -> seen = 0; held = 0; goto undo
			:: IS_SPLIT && phase != SPLIT_READY -> seen = 0; held = 0; goto merge
#endif
#if !SPLIT_MODE || FULL_TOO
			:: phase == ACTIVE || phase == SEALED -> goto bring_back
#endif
			fi
		:: IS(LOST); goto crashed
		fi
	};

#if !SPLIT_MODE || FULL_TOO
/* (*retreat).bringBack */
bring_back: atomic {
		if
		:: CLAIM_AFTER_LOOK && held -> held = 0
		:: else -> seen = file
		fi;
		if
		:: SUPERSEDED(seen) -> goto superseded
		:: else -> skip
		fi;
		if
		:: LIN(seen) == l || (EXPORT_NOLIN && FENCED(seen)) || seen == ABSENT -> skip
		:: else ->
			if
			:: EXPORTED(seen, l) || FOREIGN_TAKEN -> seen = 0; goto release_then_touch
			:: else -> goto conflict
			fi
		fi
	};
/* (*retreat).putBack and fileToPutBack: the object's digest, then the kept bytes when nothing was written since they were imported, an
 * export otherwise, which is proved by that digest. The digest comes with gen: an absent file shows no newer claim. */
	atomic {
		if
		:: gen != g && !EXPORT_NOGEN -> goto superseded
		:: else -> skip
		fi;
		if
		:: phase != ACTIVE && phase != SEALED -> goto open
		:: else -> skip
		fi;
		if
		:: GIVES_UP && failures > 0 -> failures--; goto take_back  /* no file can be made of what the object holds */
		:: receipt == content && (IS_KEPT(seen) || (TOMBSTONE(seen) && KEPT_FROM_TOMBSTONE)) -> x = CONTENT(seen)
		:: receipt != content || !IS_KEPT(seen) -> x = content
		fi
	};
	if
	:: RELEASE_FIRST -> goto release_it
	:: else -> skip
	fi;
/* (*retreat).putStamped and stampLanded */
put_back: atomic {
		if
		:: EXPORT_UNCOND -> send(PUT, 0, ANY, UNFENCED_FILE(x | COUNTER(seen), g))
		:: else -> send(PUT, 0, seen, UNFENCED_FILE(x | COUNTER(seen), g))
		fi;
		if
		:: IS(YES); seen = 0; x = 0; if :: RELEASE_FIRST -> goto in_file :: else -> goto release_it fi
		:: IS(LOST); goto put_back_landed
		:: IS(UNKNOWN); goto put_back_landed
		fi
	};
put_back_landed: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else ->
			if
			:: !FENCED(file) && STAMP(file) == g -> seen = 0; x = 0; if :: RELEASE_FIRST -> goto in_file :: else -> goto release_it fi
			:: else ->
				if
				:: file != seen -> seen = 0; x = 0; goto bring_back
				:: file == seen -> goto open
				:: file == seen && GIVES_UP && failures > 0 -> failures--; goto take_back  /* the PUT was refused for good */
				fi
			fi
		fi
	};
release_it: atomic {
		send(RELEASE, g, 0, 0);
		if
		:: IS(YES); if :: RELEASE_FIRST -> goto put_back :: else -> goto in_file fi
		:: IS(STALE); goto superseded
		:: IS(REFUSED); goto open
		:: IS(UNKNOWN); goto closed
		fi
	};

/* (*retreat).reopen: the object goes back to the user, if the file still has the fence. `x` says so to `resume`, which imports nothing then. */
take_back: atomic {
		seen = 0; x = 0;
		if
		:: LIN(file) != l -> goto open
		:: else -> skip
		fi;
		send(CLAIM_MIGRATE, g, 0, 0);
		if
		:: IS(YES); g = gen; l = lin; x = 1; goto resume
		:: IS(LOST); goto superseded
		:: IS(UNKNOWN); goto open
		fi
	};

/* (*retreat).releaseExported: an earlier run's export is in the file already. A file that is no export of this lineage is somebody else's, and
 * the sealed object may be the only copy. */
release_then_touch: atomic {
		send(RELEASE, g, 0, 0);
		if
		:: IS(YES); goto lift
		:: IS(STALE); goto superseded
		:: IS(REFUSED); goto open
		:: IS(UNKNOWN); goto closed
		fi
	};
#endif

/* (*retreat).lift: even a file without a fence is touched. */
lift:	atomic {
		seen = file;
		if
		:: SUPERSEDED(seen) -> goto superseded
		:: else ->
			if
			:: seen == ABSENT || (LIFT_FENCED_ONLY && !FENCED(seen)) -> goto in_file
			:: else -> skip
			fi;
			if
			:: TOMBSTONE(seen) -> goto conflict
			:: else -> skip
			fi
		fi
	};
	atomic {
		if
		:: LIFT_UNCOND -> send(PUT, 0, ANY, UNFENCED_FILE(BYTES(seen), g))
		:: else -> send(PUT, 0, seen, UNFENCED_FILE(BYTES(seen), g))
		fi;
		if
		:: IS(YES); goto in_file
		:: IS(LOST); goto lift_landed
		:: IS(UNKNOWN); goto lift_landed
		fi
	};
lift_landed: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else ->
			if
			:: !FENCED(file) && STAMP(file) == g -> goto in_file
			:: else ->
				if
				:: file != seen -> goto lift
				:: else -> goto open
				fi
			fi
		fi
	};
