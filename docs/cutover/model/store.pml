/* The Durable Object's transitions: one message, one transaction. worker/src/state/phases.ts is held against this file through
 * transitions.json. A refused message changes nothing. */

/* REFUSED: wrong phase, or another digest. STALE: the claim in the message is not the last one. LOST: a PUT met another ETag; a claim met
 * another gen than its sender had seen. UNKNOWN: no answer came; the effect happened, or comes later, or never. */
mtype = { YES, REFUSED, STALE, LOST, UNKNOWN };

mtype = { CLAIM_MIGRATE, CLAIM_SPLIT, CLAIM_ROLLBACK, CLAIM_BACK, CLAIM_BIRTH, RESET, ROWS, MAKE_READY, ACTIVATE, MERGE, RELEASE, PUT };

#define UNFINISHED (phase == EMPTY || phase == IMPORTING || phase == READY || phase == SPLITTING)

inline wipe() { content = 0; applied = 0; receipt = 0; note_opened(0) }

inline claim_migrate() {
	if
	:: IS_SPLIT -> answer = REFUSED
	:: else ->
		intent = TO_STORE; answer = YES; note_claim(0);
		if
		:: (UNFINISHED || (IMPORT_OVER_ACTIVE && phase == ACTIVE) || (IMPORT_OVER_SEALED && phase == SEALED)) ->
			if
			:: CLAIM_IMPORT_NOBUMP && (phase == IMPORTING || phase == READY) -> skip
			:: else -> gen++
			fi;
			wipe(); lin = gen; phase = IMPORTING
		:: else ->
			if
			:: (CLAIM_SEALED_NOBUMP && phase == SEALED) || (CLAIM_ACTIVE_NOBUMP && phase == ACTIVE) -> skip
			:: else -> gen++
			fi
		fi
	fi
}

inline claim_split() {
	if
	:: phase == ACTIVE || phase == SEALED -> answer = REFUSED
	:: else ->
		intent = TO_SPLIT; answer = YES; gen++; note_claim(0);
		if
		:: UNFINISHED || (SPLIT_OVER_READY && phase == SPLIT_READY) -> wipe(); lin = gen; phase = SPLITTING
		:: else -> skip
		fi
	fi
}

inline claim_rollback() {
	intent = TO_FILE; answer = YES; note_claim(0);
	if
	:: UNFINISHED ->
		if
		:: CLAIM_ABORT_NOBUMP -> skip
		:: else -> gen++
		fi;
		wipe(); lin = 0; phase = EMPTY
	:: else ->
		if
		:: CLAIM_SEALED_NOBUMP && phase == SEALED -> skip
		:: else -> gen++
		fi;
		if
		:: phase == ACTIVE && !NO_SEAL -> phase = SEALED
		:: phase == COLD && !NO_COLD_SEAL -> phase = COLD_SEALED
		:: else -> skip
		fi
	fi
}

#if RETURNS
/* The claim of a composite request, with its id: the same request again is the same claim. */
inline claim_back(by, id) {
	if
	:: claim_id == (id) && gen == (by) + 1 -> answer = YES
	:: else ->
		if
		:: (by) != gen && !CLAIM_NOCAS -> answer = LOST
		:: else -> claim_rollback(); note_claim(id)
		fi
	fi
}
#else
#define claim_back(by, id) skip
#endif

#if BIRTHS > 0
/* The claim of a birth: where there is nothing, or another birth was left open. */
inline claim_birth(by) {
	if
	:: (by) != gen && !CLAIM_NOCAS -> answer = LOST
	:: else ->
		if
		:: phase == EMPTY || BORN_CLAIM || BIRTH_ANY_PHASE -> claim_migrate(); born = gen
		:: else -> answer = REFUSED
		fi
	fi
}
#else
#define claim_birth(by) skip
#endif

/* Between the hot file's PUT and the activate, and between the whole file's and the release, a reset of what an earlier claim has imported
 * is a split's; its repetition must not wipe what it has imported itself. */
#define RESETS_SPLIT(by) \
	((phase == SPLIT_READY || phase == MERGING) && (intent == TO_SPLIT || RESET_NOINTENT) && (lin != (by) || RESET_NOLIN))
inline reset(by) {
	if
	:: (by) != gen && !RESET_NOGEN -> answer = STALE
	:: else ->
		if
		:: phase == IMPORTING || phase == SEALED || phase == SPLITTING || RESETS_SPLIT(by) || RESET_NOPHASE ->
			wipe(); lin = (by); answer = YES;
			if
			:: phase == SEALED -> phase = IMPORTING
			:: phase == SPLIT_READY || phase == MERGING -> phase = SPLITTING
			:: else -> skip
			fi
		:: else -> answer = REFUSED
		fi
	fi
}

/* A batch is a key range (bits 4-7) and the rows in it (bits 0-3). */
#define BATCH(range, rows) (((range) << 4) | ((rows) & (range)))
#define RANGE(batch)       ((batch) >> 4)
inline rows(by, batch) {
	if
	:: (by) != gen && !ROWS_NOGEN -> answer = STALE
	:: else ->
		if
		:: phase != IMPORTING && phase != SPLITTING && !ROWS_NOPHASE -> answer = REFUSED
		:: else ->
			answer = YES;
			if
			:: (applied & RANGE(batch)) && !ROWS_NODEDUP -> skip
			:: else -> content = (content & ~RANGE(batch)) | (batch & RANGE(batch)); applied = applied | RANGE(batch)
			fi
		fi
	fi
}

inline make_ready(by, digest) {
	if
	:: (by) != gen && !READY_NOGEN -> answer = STALE
	:: else ->
		if
		:: (phase == IMPORTING || READY_NOPHASE) && (content == (digest) || READY_NODIGEST) ->
			phase = READY; receipt = content; answer = YES
		:: phase == SPLITTING && content == (digest) -> phase = SPLIT_READY; receipt = content; answer = YES
		:: ((phase == READY && !READY_NOPHASE) || phase == SPLIT_READY) && content == (digest) -> answer = YES
		:: else -> answer = REFUSED
		fi
	fi
}

inline activate(by) {
	if
	:: (by) != gen && !ACTIVATE_NOGEN -> answer = STALE
	:: else ->
		if
		:: ((phase == READY || phase == ACTIVE || phase == SEALED) && (intent == TO_STORE || ACTIVATE_NOINTENT)) || ACTIVATE_NOPHASE ->
			phase = ACTIVE; answer = YES; note_opened(by)
		:: IS_SPLIT && intent == TO_SPLIT && !ACTIVATE_NOPHASE -> phase = COLD; answer = YES
		:: (phase == SPLIT_READY || phase == COLD_SEALED) && intent == TO_FILE && !ACTIVATE_NOPHASE && !ACTIVATE_NOINTENT ->
			phase = COLD_SEALED; answer = YES
		:: else -> answer = REFUSED
		fi
	fi
}

inline start_merge(by) {
	if
	:: (by) != gen && !MERGE_NOGEN -> answer = STALE
	:: else ->
		if
		:: (phase == COLD_SEALED || phase == MERGING || (NO_COLD_SEAL && phase == COLD)) && (intent == TO_FILE || MERGE_NOINTENT) -> phase = MERGING; answer = YES
		:: else -> answer = REFUSED
		fi
	fi
}

inline release(by) {
	if
	:: (by) != gen && !RELEASE_NOGEN -> answer = STALE
	:: else ->
		if
		:: phase == EMPTY && !RELEASE_NOPHASE -> answer = YES
		:: phase == SEALED || RELEASE_NOPHASE || ((phase == SPLIT_READY || phase == MERGING) && (intent == TO_FILE || RELEASE_NOINTENT)) ->
			wipe(); lin = 0; phase = EMPTY; answer = YES;
			if
			:: GEN_RESET -> gen = 0
			:: else -> skip
			fi
		:: else -> answer = REFUSED
		fi
	fi
}

/* `by` is the sender's claim; for claims it is the gen that the sender saw. */
inline tell_store(message, by, body) {
	if
	:: (message == CLAIM_MIGRATE || message == CLAIM_SPLIT || message == CLAIM_ROLLBACK) && (by) != gen && !CLAIM_NOCAS -> answer = LOST
	:: else ->
		if
		:: message == CLAIM_MIGRATE -> claim_migrate()
		:: message == CLAIM_SPLIT -> claim_split()
		:: message == CLAIM_ROLLBACK -> claim_rollback()
		:: message == CLAIM_BACK -> claim_back(by, body)
		:: message == CLAIM_BIRTH -> claim_birth(by)
		:: message == RESET -> reset(by)
		:: message == ROWS -> rows(by, body)
		:: message == MAKE_READY -> make_ready(by, body)
		:: message == ACTIVATE -> activate(by)
		:: message == MERGE -> start_merge(by)
		:: message == RELEASE -> release(by)
		fi
	fi
}

#define TAKES_WRITES (phase == ACTIVE || (WRITE_IN_READY && phase == READY) || (WRITE_IN_SEALED && phase == SEALED) || (WRITE_IN_IMPORTING && phase == IMPORTING))
#define TAKES_COLD_WRITES (phase == COLD || (WRITE_IN_COLD_SEALED && phase == COLD_SEALED))
/* The object answers reads of cold rows; in SPLIT_READY and MERGING the file says whether the answer counts. */
#define ANSWERS_COLD_READS IS_SPLIT
