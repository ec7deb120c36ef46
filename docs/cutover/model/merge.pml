/* rollback of a split user: pkg/migrate/merge.go. Included in the body of Operator. */

/* (*retreat).undoSplit, SPLIT_READY. The object is told before the fence goes: an unfenced file would say that the hot file was put. */
undo:	atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else -> skip
		fi;
		if
		:: LIN(file) == l -> seen = file
		:: else -> goto seal_cold
		fi;
		if
		:: UNDO_LIFT_FIRST -> send(PUT, 0, seen, UNFENCED_FILE(BYTES(seen), g))
		:: UNDO_NOREFENCE -> answer = YES
		:: else -> send(PUT, 0, seen, REFENCED(seen, g))
		fi;
		if
		:: IS(YES); seen = 0; goto undo_release
		:: IS(LOST); seen = 0; goto undo
		:: IS(UNKNOWN); goto undo_landed
		fi
	};
undo_landed: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else ->
			if
			:: NON(file) == g -> seen = 0; goto undo_release
			:: else ->
				if
				:: file != seen -> seen = 0; goto undo
				:: else -> goto open
				fi
			fi
		fi
	};
undo_release: atomic {
		send(RELEASE, g, 0, 0);
		if
		:: IS(YES); goto lift
		:: IS(STALE); goto superseded
		:: IS(REFUSED); goto open
		:: IS(UNKNOWN); if :: UNDO_LIFT_UNKNOWN -> goto lift :: else -> goto open fi
		fi
	};

/* The hot file was put: its rollback is a merge. */
seal_cold: atomic {
		send(ACTIVATE, g, 0, 0);
		if
		:: IS(YES); goto fence_hot
		:: IS(STALE); goto superseded
		:: IS(REFUSED); goto open
		:: IS(UNKNOWN); goto open
		fi
	};

/* Outcome merge. */
merge: atomic {
		if
		:: phase == MERGING -> merging = 1
		:: else -> goto fence_hot
		fi;
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else -> skip
		fi;
		if
		:: LIN(file) == l -> goto fence_hot
		:: else -> goto merged_before
		fi
	};
/* (*retreat).mergedBefore: an earlier run has put the whole file. */
merged_before: atomic {
		merging = 0;
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else -> skip
		fi;
		if
		:: EXPORTED(file, l) -> send(RELEASE, g, 0, 0)
		:: else -> goto conflict
		fi;
		if
		:: IS(YES); if :: MERGED_NOTOUCH -> goto in_file :: else -> goto lift fi
		:: IS(STALE); goto superseded
		:: IS(REFUSED); goto open
		:: IS(UNKNOWN); goto open
		fi
	};
fence_hot: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else -> seen = file
		fi;
		if
		:: merging && LIN(seen) != l -> seen = 0; goto merged_before
		:: else -> skip
		fi
	};
	/* stillOurs, as in migrate.pml: here a fence over a whole file would say that it was never made whole. */
	atomic {
		if
		:: gen != g && !FENCED(seen) && !FENCE_HOT_NOGEN -> goto superseded
		:: else -> skip
		fi;
		if
		:: FENCED(seen) && LIN(seen) != l -> goto conflict
		:: else -> skip
		fi
	};
	atomic {
		if
		:: MERGE_BEFORE_FENCE && !merging -> send(MERGE, g, 0, 0); answer = 0; merging = 1
		:: else -> skip
		fi;
		if
		:: (MERGE_NOREFENCE && !merging && LIN(seen) == l) || (MERGING_NOREFENCE && merging) -> goto build_whole
		:: else -> send(PUT, 0, seen, FENCED_FILE(BYTES(seen), l, g))
		fi;
		if
		:: IS(YES); seen = file; goto build_whole
		:: IS(LOST); seen = 0; goto fence_hot
		:: IS(UNKNOWN); goto hot_fenced
		fi
	};
hot_fenced: atomic {
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else ->
			if
			:: LIN(file) == l && NON(file) == g -> seen = file; goto build_whole
			:: else ->
				if
				:: file != seen -> seen = 0; goto fence_hot
				:: else -> seen = 0; goto open
				:: GIVES_UP && file == seen -> seen = 0; goto take_cold_back
				fi
			fi
		fi
	};

/* The file behind our fence and the export make the whole file; key conflicts and schemas that drifted apart are found here. */
build_whole: atomic {
		x = HOT_PART(CONTENT(seen)) | content;
		if
		:: goto tell_merge
		:: GIVES_UP && failures > 0 -> failures--; x = 0; seen = 0; goto take_cold_back
		fi
	};
tell_merge: atomic {
		if
		:: merging || NO_MERGE_MESSAGE -> answer = YES
		:: else -> send(MERGE, g, 0, 0)
		fi;
		if
		:: IS(YES); merging = 1; goto put_whole
		:: IS(STALE); goto superseded
		:: IS(REFUSED); goto open
		:: IS(UNKNOWN); x = 0; seen = 0; if :: goto open :: GIVES_UP -> goto take_cold_back fi
		fi
	};
put_whole: atomic {
		if
		:: WHOLE_UNCOND -> send(PUT, 0, ANY, UNFENCED_FILE(x | COUNTER(seen), g))
		:: else -> send(PUT, 0, seen, UNFENCED_FILE(x | COUNTER(seen), g))
		fi;
		x = 0;
		if
		:: IS(YES); seen = 0; goto merge_release
		:: IS(LOST); goto whole_landed
		:: IS(UNKNOWN); goto whole_landed
		fi
	};
whole_landed: atomic {
		seen = 0;
		if
		:: SUPERSEDED(file) -> goto superseded
		:: else ->
			if
			:: LIN(file) != l -> goto merge_release
			:: else -> goto open
			:: GIVES_UP && LIN(file) == l -> goto take_cold_back
			fi
		fi
	};
merge_release: atomic {
		merging = 0;
		send(RELEASE, g, 0, 0);
		if
		:: IS(YES); goto in_file
		:: IS(STALE); goto superseded
		:: IS(REFUSED); if :: NO_MERGE_MESSAGE -> goto in_file :: else -> goto open fi
		:: IS(UNKNOWN); goto open
		fi
	};

/* A merge that cannot be made: the user is given back. */
take_cold_back: atomic {
		merging = 0;
		send(CLAIM_SPLIT, g, 0, 0);
		if
		:: IS(YES); g = gen; l = lin; goto give_back
		:: IS(LOST); goto superseded
		:: IS(UNKNOWN); goto open
		fi
	};
