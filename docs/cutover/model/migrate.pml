/* migrate: pkg/migrate/migrate.go, fence.go and oldpath.go. Included in the body of Operator. */

#if UNCONDITIONAL > 0
#define BEHIND_FENCE old_path
#else
#define BEHIND_FENCE ready
#endif

/* (*migration).run: a user who is not in the object yet is downloaded and checked before the claim. The claim may find another phase. */
migrate: skip;
	atomic {
		if
		:: file != ABSENT && !TOMBSTONE(file) -> seen = file; held = 1
		:: skip
		fi
	};
#if COMPOSITES > 0
/* (*migration).claimUser: `import` goes by the status before the download, and by the version that was downloaded. */
	atomic {
		if
		:: held && CLEAN(gen) && file == seen -> x = gen + 1; goto import_it
		:: held -> goto import_it
		:: goto claim_it_alone
		fi
	};
/* (*migration).claimAfterImport: where one of its steps failed, or where it may be under way still, the command goes on by single steps under a
 * further claim. It is granted only after the command's own. */
claim_again: atomic {
		copied = 0; dirty = 0;
		if
		:: seen = 0; held = 0
		:: skip
		fi
	};
	atomic {
		if
		:: CLAIM_AGAIN_FRESH -> send(CLAIM_MIGRATE, gen, 0, 0)
		:: else -> send(CLAIM_MIGRATE, g, 0, 0)
		fi;
		if
		:: IS(YES);
			g = gen; l = lin;
			if
			:: phase == IMPORTING -> goto fetch
			:: else -> goto open
			fi
		:: IS(LOST); goto superseded
		:: IS(REFUSED); goto superseded
		:: IS(UNKNOWN); goto open
		fi
	};
claim_it_alone: skip;
#endif
/* Engine.claim: status and file, then the claim. If it is granted, the status was still true; whether all was clean is kept in `x`. */
	atomic {
		if
		:: CLEAN(gen) -> x = gen + 1
		:: else -> skip
		fi
	};
#if COMPOSITES > 0
import_it: atomic {
		if
		:: held && LETS_LOOSE -> let_loose(L_CLAIM, gen);
			if
			:: !last -> goto crashed
			:: goto open
			fi
		:: skip
		fi
	};
#endif
	atomic {
		if
		:: x == gen + 1 -> x = 1
		:: else -> x = 0
		fi;
#if RESTORES > 0
		if
		:: NEWEST(file) > gen -> goto conflict  /* storeNotSetBack */
		:: else -> skip
		fi;
#endif
		send(CLAIM_MIGRATE, gen, 0, 0);
		if
		:: IS(UNKNOWN); goto open
		:: IS(YES);
			claimed();
			if
			:: phase == ACTIVE -> seen = 0; held = 0; x = 0; goto already_active
			:: phase == SEALED -> seen = 0; held = 0; x = 0; goto resume
			:: phase == IMPORTING -> goto fetch
			fi
		:: IS(REFUSED); goto refused  /* the user is split */
		:: IS(LOST); goto crashed  /* only where a removed check makes a claim miss its own gen */
		fi
	};

/* (*migration).alreadyActive */
already_active: atomic {
		if
		:: SUPERSEDED(file) && !ACTIVE_NOSTALE -> goto superseded
		:: LIN(file) == l -> goto in_store
		:: else -> goto conflict
		fi
	};

/* (*migration).resume and refence: the second GET must show the version of the first, so they are one step. */
resume:	atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: file == ABSENT -> goto conflict
		:: !SUPERSEDED(file) && file != ABSENT ->
			if
			:: (LIN(file) == l || (RESUME_NOLIN && FENCED(file))) -> seen = file
			:: else ->
				if
				:: x == 1 -> x = 0; goto open  /* a rollback that reopens */
				:: else -> skip
				fi;
				if
				:: EXPORTED(file, l) || FOREIGN_TAKEN -> goto import_after_export
				:: else -> goto conflict
				fi
			fi
		fi
	};
	atomic {
		if
		:: RESUME_NO_REFENCE -> answer = YES
		:: else -> send(PUT, 0, seen, REFENCED(seen, g))
		fi;
		if
		:: IS(YES); seen = 0; x = 0; goto activate_resumed
		:: IS(LOST); goto refence_landed
		:: IS(UNKNOWN); goto refence_landed
		fi
	};
/* fenceLanded: a failed PUT may have been ours all the same. */
refence_landed: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else ->
			if
			:: FENCED(file) && NON(file) == g -> seen = 0; x = 0; goto activate_resumed
			:: else ->
				if
				:: file != seen -> seen = 0; goto resume
				:: else -> goto open
				fi
			fi
		fi
	};
activate_resumed: atomic {
		send(ACTIVATE, g, 0, 0);
		if
		:: IS(YES); goto in_store
		:: IS(STALE); goto superseded
		:: IS(REFUSED); goto open
		:: IS(UNKNOWN); goto open
		fi
	};

/* (*migration).importAfterExport. A version from before the claim is no use: its PUT can only lose. */
import_after_export: atomic {
		send(RESET, g, 0, 0);
		if
		:: IS(YES); goto fetch
		:: IS(STALE); goto superseded
		:: IS(REFUSED); goto closed
		:: IS(UNKNOWN); goto closed
		fi
	};

/* (*migration).untilFenced */
fetch:	atomic {
		if
		:: held -> goto fetched
		:: else ->
			if
			:: file == ABSENT || TOMBSTONE(file) -> note_nobody(); goto give_up
			:: else -> seen = file; held = 1
			fi
		fi
	};
	/* stillOurs: a newer command's stamp may have gone with a VACUUM. One that claims from here on changes this version. */
	atomic {
		if
		:: gen != g && !FENCED(seen) && !FETCH_NOGEN -> goto superseded
		:: else -> skip
		fi
	};
fetched: atomic {
		if
		:: SUPERSEDED(seen) -> goto superseded
		:: else -> skip
		fi;
		if
		:: PRECOPY && !(NO_RECOPY && copied) -> goto copy
		:: skip
		:: GIVES_UP && failures > 0 -> failures--; goto give_up  /* a read fails, or what was copied differs, or Ctrl-C */
		fi;
		if
		:: ACTIVATE_FIRST -> goto copy
		:: else -> goto fence
		fi
	};

/* (*migration).copyAndCompare: before the fence, and behind it if the fenced content is not what was copied. The comparison of digests is
 * left to `ready`: the model goes on in more cases than the command. */
copy:	atomic {
		if
		:: (dirty || inside) && !NO_RESET ->
			send(RESET, g, 0, 0);
			if
			:: IS(YES)
			:: IS(STALE); goto superseded
			:: IS(REFUSED); goto give_up
			:: IS(UNKNOWN); goto give_up
			fi
		:: else -> skip
		fi;
		dirty = 1
	};
#if COMPOSITES > 0
	atomic {
		if
		:: !inside && LETS_LOOSE ->
			if
			:: let_loose(L_LOOK, g)
			:: let_loose(L_ROWS, g)
			fi;
			if
			:: !last -> goto crashed
			:: goto claim_again
			:: skip  /* the same request again */
			fi
		:: skip
		fi
	};
#endif
#if BATCHES > 1
	atomic { send_rows(3) };
	atomic { send_rows(12); copied = 1 };
#else
	atomic { send_rows(15); copied = 1 };
#endif
	atomic {
		if
		:: inside -> goto BEHIND_FENCE
		:: ACTIVATE_FIRST -> goto ready
		:: else -> goto fence
		fi
	};

/* (*migration).fence and fenceLanded; switchAtOnce begins with the same PUT. */
fence:
#if COMPOSITES > 0
	atomic {
		if
		:: copied && LETS_LOOSE -> fenced = 1; let_loose(L_PUT, g);
			if
			:: !last -> goto crashed
			:: goto fence_landed
			:: skip
			fi
		:: skip
		fi
	};
#endif
	atomic {
		fenced = 1;
		if
		:: NO_FENCE || (FENCE_REUSED && FENCED(seen)) -> answer = YES
		:: FENCE_UNCOND -> send(PUT, 0, ANY, FENCED_FILE(BYTES(seen), g, g))
		:: else -> send(PUT, 0, seen, FENCED_FILE(BYTES(seen), g, g))
		fi;
		if
		:: IS(YES); goto switch_over
		:: IS(LOST); goto fence_landed
		:: IS(UNKNOWN); goto fence_landed
		fi
	};
fence_landed: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else ->
			if
			:: FENCED(file) && NON(file) == g -> goto switch_over
			:: else ->
				if
				:: file != seen -> seen = 0; held = 0; if :: !NO_RECOPY -> copied = 0 :: else -> skip fi; goto fetch
				:: else -> goto give_up
#if COMPOSITES > 0
				:: file == seen -> goto fence  /* from here, where the Worker failed */
#endif
				fi
			fi
		fi
	};
#if COMPOSITES > 0
/* Of a switch no answer came, and its fence is in the file or was. */
switch_lost: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: !SUPERSEDED(file) && FENCED(file) && NON(file) == g -> goto ready
		:: !SUPERSEDED(file) && !(FENCED(file) && NON(file) == g) -> goto give_up
		fi
	};
#endif

/* (*migration).switchOver */
switch_over: atomic {
		held = 0; inside = 1; seen = CONTENT(seen);
		if
		:: ACTIVATE_FIRST -> goto in_store
		:: !ACTIVATE_FIRST && copied -> goto BEHIND_FENCE
		:: else -> goto copy
		fi
	};
/* (*migration).outwaitOldPath: beside writers that save unconditionally, the requests that loaded before the fence have to end before the object may
 * serve, and none of them may have overwritten the fence: what it acknowledged is in the file only. */
#if UNCONDITIONAL > 0
old_path: atomic { awaited = awaited | (in_flight << _pid) };
	(NO_WAIT || ((awaited >> _pid) & 1) == 0) -> skip;
	atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: !SUPERSEDED(file) && (file == FENCED_FILE(seen, g, g) || NO_LAST_LOOK) -> goto ready
		:: !SUPERSEDED(file) && file != FENCED_FILE(seen, g, g) && !NO_LAST_LOOK -> seen = 0; copied = 0; inside = 0; goto fetch
		:: GIVES_UP && failures > 0 -> failures--; goto give_up
		fi
	};
#endif
ready:
#if COMPOSITES > 0
	atomic {
		if
		:: LETS_LOOSE ->
			if
			:: let_loose(L_READY, g)
			:: phase == READY && gen == g -> let_loose(L_ACTIVATE, g)
			fi;
			if
			:: !last -> goto crashed
			:: goto switch_lost
			:: skip
			fi
		:: skip
		fi
	};
#endif
	atomic {
		if
		:: NO_RECOPY -> send(MAKE_READY, g, content, 0)  /* the digest is the pre-copy's */
		:: else -> send(MAKE_READY, g, CONTENT(seen), 0)
		fi;
		if
		:: IS(YES); if :: !ACTIVATE_FIRST -> seen = 0 :: else -> skip fi; goto activate_it
		:: IS(STALE); goto superseded
		:: IS(REFUSED);
#if COMPOSITES > 0
			if
			:: phase == ACTIVE && gen == g && lin == g -> goto in_store  /* openAlready */
			:: else -> skip
			fi;
#endif
			goto give_up
		:: IS(UNKNOWN); goto give_up
		fi
	};
activate_it: atomic {
		send(ACTIVATE, g, 0, 0);
		if
		:: IS(YES); if :: !ACTIVATE_FIRST -> goto in_store :: else -> goto fence fi
		:: IS(STALE); goto superseded
		:: IS(REFUSED); goto give_up
		:: IS(UNKNOWN); goto give_up
		fi
	};

/* (*migration).giveUp: the rollback of this very claim. If a newer claim exists, that one owns the user. The file is left alone only if no
 * fence was sent and all was clean before the claim. */
give_up: atomic {
		seen = 0; held = 0; copied = 0; dirty = 0; inside = 0;
		printf("%d: gives up\n", _pid);
		last_fails();
		if
		:: GIVEUP_FRESH_CLAIM && fenced -> send(CLAIM_ROLLBACK, gen, 0, 0)
		:: else -> send(CLAIM_ROLLBACK, g, 0, 0)
		fi;
		if
		:: IS(YES);
			g = gen; l = lin;
			if
			:: phase == SEALED -> fenced = 0; x = 0; goto bring_back
			:: phase != SEALED && !fenced && (x == 1 || GIVEUP_CLAIM_ONLY) -> goto closed
			:: else -> fenced = 0; x = 0; goto lift
			fi
		:: IS(LOST); goto superseded
		:: IS(UNKNOWN); goto open
		fi
	};
