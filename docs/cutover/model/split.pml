/* migrate --mode split: pkg/migrate/split.go. Included in the body of Operator. The steps are migrate's, on the cold rows, with a PUT of the hot
 * file between `ready` and `activate`. */

/* (*migration).run: download, policy and checks before the claim, for a user of whom nothing is in the object yet. */
split: skip;
	atomic {
		if
		:: UNFINISHED && !FENCED(file) && file != ABSENT -> seen = file; held = 1
		:: skip
		fi
	};
	atomic {
		if
		:: CLEAN(gen) -> x = 1
		:: phase == COLD && !FENCED(file) && STAMP(file) == gen -> x = 1; if :: COLD_NOCLAIM -> goto in_cold :: else -> skip fi
		:: else -> skip
		fi;
		send(CLAIM_SPLIT, gen, 0, 0);
		if
		:: IS(UNKNOWN); goto open
		:: IS(REFUSED); goto refused
		:: IS(YES);
			claimed();
			if
			:: phase == SPLITTING -> goto split_fetch
			:: phase == SPLIT_READY -> seen = 0; held = 0; x = 0; goto split_resume
			:: phase == COLD -> seen = 0; held = 0; goto cold_active
			:: phase == COLD_SEALED || phase == MERGING -> seen = 0; held = 0; x = 0; goto give_back
			fi
		:: IS(LOST); goto crashed
		fi
	};

/* (*migration).liftGivenBack, outcome active and the end of a give-back: hot writers get their file. Even one without a fence is touched: the PUT of
 * a dead rollback's fence may be under way, unless the stamp was the last claim's (`x`). In COLD nothing is inferred from the file. */
cold_active: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else -> seen = file
		fi;
		if
		:: !FENCED(seen) && (x == 1 || COLD_NOTOUCH) -> answer = YES
		:: else -> send(PUT, 0, seen, UNFENCED_FILE(BYTES(seen), g))
		fi;
		if
		:: IS(YES); goto in_cold
		:: IS(LOST); goto cold_active
		:: IS(UNKNOWN); goto cold_active_landed
		fi
	};
cold_active_landed: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else ->
			if
			:: !FENCED(file) && STAMP(file) == g -> goto in_cold
			:: else ->
				if
				:: file != seen -> goto cold_active
				:: else -> goto open
				fi
			fi
		fi
	};

/* Outcome resume in SPLIT_READY: fence again, which kills a late PUT of the hot file; only then is it certain that the file is whole. */
split_resume: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else -> skip
		fi;
		if
		:: LIN(file) == l -> seen = file
		:: else -> goto split_activate
		fi;
		if
		:: SPLIT_RESET_NOREFENCE -> answer = YES
		:: else -> send(PUT, 0, seen, REFENCED(seen, g))
		fi;
		if
		:: IS(YES); seen = 0; goto split_reset
		:: IS(LOST); seen = 0; goto split_resume
		:: IS(UNKNOWN); goto split_refenced
		fi
	};
split_refenced: atomic {
		if
		:: !SUPERSEDED(file) && LIN(file) == l && NON(file) == g -> seen = 0; goto split_reset
		:: !SUPERSEDED(file) && file != seen && !(LIN(file) == l && NON(file) == g) -> seen = 0; goto split_resume
		:: !SUPERSEDED(file) && file == seen -> goto open
		:: SUPERSEDED(file) -> goto superseded
		fi
	};
split_reset: atomic {
		send(RESET, g, 0, 0);
		if
		:: IS(YES); goto split_fetch
		:: IS(STALE); goto superseded
		:: IS(REFUSED); goto open
		:: IS(UNKNOWN); goto open
		fi
	};

/* (*migration).giveBack, outcome resume in COLD_SEALED or MERGING. In MERGING the PUT of the dead command has to become impossible, and the fence
 * stays until the object is COLD: an unfenced file would say that the merge is done. */
give_back: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else -> seen = file
		fi;
		if
		:: phase == COLD_SEALED -> answer = YES
		:: phase != COLD_SEALED ->
			if
			:: LIN(seen) != l -> seen = 0; goto split_reset  /* the merge is done */
			:: else ->
				if
				:: GIVE_BACK_LIFT_FIRST -> send(PUT, 0, seen, UNFENCED_FILE(BYTES(seen), g))
				:: GIVE_BACK_NOREFENCE -> answer = YES
				:: else -> send(PUT, 0, seen, REFENCED(seen, g))
				fi
			fi
		fi;
		if
		:: IS(YES); seen = 0; goto give_back_activate
		:: IS(LOST); goto give_back
		:: IS(UNKNOWN); goto given_back
		fi
	};
given_back: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else ->
			if
			:: FENCED(file) && NON(file) == g -> seen = 0; goto give_back_activate
			:: else ->
				if
				:: file != seen -> goto give_back
				:: else -> goto open
				fi
			fi
		fi
	};
give_back_activate: atomic {
		send(ACTIVATE, g, 0, 0);
		if
		:: IS(YES); goto cold_active
		:: IS(STALE); goto superseded
		:: IS(REFUSED); goto open
		:: IS(UNKNOWN); goto open
		fi
	};

/* (*migration).untilFenced, with the cold rows for a content: if only hot ones changed since they were copied, the copy stays. */
split_fetch: atomic {
		if
		:: held -> goto split_fetched
		:: else ->
			if
			:: SUPERSEDED(file) -> goto superseded
			:: else -> skip
			fi;
			if
			:: copied && COLD_PART(CONTENT(seen)) != COLD_PART(CONTENT(file)) && !NO_RECOPY -> copied = 0
			:: else -> skip
			fi;
			seen = file; held = 1
		fi
	};
	/* stillOurs: a newer command's stamp may have gone with a VACUUM. One that claims from here on changes this version. */
	atomic {
		if
		:: gen != g && !FENCED(seen) && !FETCH_NOGEN -> goto superseded
		:: else -> skip
		fi
	};
split_fetched: atomic {
		if
		:: SUPERSEDED(seen) -> goto superseded
		:: else -> skip
		fi;
		if
		:: PRECOPY && !copied -> goto split_copy
		:: skip
		:: GIVES_UP && failures > 0 -> failures--; goto split_give_up
		fi;
		goto split_fence
	};
split_copy: atomic {
		if
		:: dirty || inside ->
			send(RESET, g, 0, 0);
			if
			:: IS(YES)
			:: IS(STALE); goto superseded
			:: IS(REFUSED); goto split_give_up
			:: IS(UNKNOWN); goto split_give_up
			fi
		:: else -> skip
		fi;
		dirty = 1
	};
	atomic {
		send(ROWS, g, BATCH(15, COLD_PART(CONTENT(seen))), 0);
		if
		:: IS(YES)
		:: IS(STALE); goto superseded
		:: IS(REFUSED); goto split_give_up
		:: IS(UNKNOWN); goto split_give_up
		fi;
		copied = 1;
		if
		:: inside -> goto split_ready
		:: else -> goto split_fence
		fi
	};
split_fence: atomic {
		if
		:: READY_BEFORE_FENCE && copied && !inside -> send(MAKE_READY, g, content, 0); answer = 0
		:: else -> skip
		fi;
		fenced = 1;
		send(PUT, 0, seen, FENCED_FILE(BYTES(seen), g, g));
		if
		:: IS(YES); goto split_behind
		:: IS(LOST); goto split_fence_landed
		:: IS(UNKNOWN); goto split_fence_landed
		fi
	};
split_fence_landed: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else ->
			if
			:: FENCED(file) && NON(file) == g && LIN(file) == g -> goto split_behind
			:: else ->
				if
				:: file != seen -> held = 0; goto split_fetch
				:: else -> goto split_give_up
				fi
			fi
		fi
	};
split_behind: atomic {
		held = 0; inside = 1; seen = FENCED_FILE(BYTES(seen), g, g);
		if
		:: copied -> goto split_ready
		:: else -> goto split_copy
		fi
	};
split_ready: atomic {
		if
		:: NO_RECOPY -> send(MAKE_READY, g, content, 0)
		:: else -> send(MAKE_READY, g, COLD_PART(CONTENT(seen)), 0)
		fi;
		if
		:: IS(YES); if :: COLD_BEFORE_HOT -> goto split_activate :: else -> goto put_hot fi
		:: IS(STALE); goto superseded
		:: IS(REFUSED); goto split_give_up
		:: IS(UNKNOWN); goto split_give_up
		fi
	};

/* The hot file. What is behind the fence and in the object's receipt goes out of the file. */
put_hot: atomic {
		if
		:: HOT_UNCOND -> send(PUT, 0, ANY, UNFENCED_FILE(HOT_PART(seen) | COUNTER(seen), g))
		:: else -> send(PUT, 0, seen, UNFENCED_FILE(HOT_PART(seen) | COUNTER(seen), g))
		fi;
		if
		:: IS(YES); seen = 0; if :: COLD_BEFORE_HOT -> goto in_cold :: else -> goto split_activate fi
		:: IS(LOST); goto hot_landed
		:: IS(UNKNOWN); goto hot_landed
		fi
	};
hot_landed: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else ->
			if
			:: LIN(file) != g -> seen = 0; goto split_activate
			:: else -> goto split_give_up
			fi
		fi
	};
split_activate: atomic {
		send(ACTIVATE, g, 0, 0);
		if
		:: IS(YES); if :: COLD_BEFORE_HOT && seen != 0 -> goto put_hot :: else -> goto in_cold fi
		:: IS(STALE); goto superseded
		:: IS(REFUSED); goto open
		:: IS(UNKNOWN);
			if
			:: inside -> goto split_give_up
			:: else -> goto open
			fi
		fi
	};

/* (*migration).giveUp: the rollback of this very claim. */
split_give_up: atomic {
		seen = 0; held = 0; copied = 0; dirty = 0; inside = 0;
		printf("%d: gives up\n", _pid);
		last_fails();
		send(CLAIM_ROLLBACK, g, 0, 0);
		if
		:: IS(YES);
			g = gen; l = lin;
			if
			:: phase == SPLIT_READY -> fenced = 0; x = 0; goto undo
			:: phase == COLD_SEALED -> fenced = 0; x = 0; goto merge
			:: phase == EMPTY && !fenced && x == 1 -> goto closed
			:: phase == EMPTY && (fenced || x != 1) -> fenced = 0; x = 0; goto lift
			fi
		:: IS(LOST); goto superseded
		:: IS(UNKNOWN); goto open
		fi
	};
