/* The protocol's checks, by the name under which each can be removed: -DNAME=1 builds the model without that check. Everything is 0 in
 * the protocol itself. scripts/model/mutations.go says what each removal has to break. */

/* The fence. */
#ifndef NO_FENCE
#define NO_FENCE 0            /* migrate never writes a fence */
#endif
#ifndef META_FENCE
#define META_FENCE 0          /* the fence is in the metadata only: the ETag does not cover it */
#endif
#ifndef FENCE_UNCOND
#define FENCE_UNCOND 0        /* the fence PUT has no If-Match */
#endif
#ifndef NO_NONCE
#define NO_NONCE 0            /* the bytes say "fenced" and no more */
#endif
#ifndef NONCE_KEPT
#define NONCE_KEPT 0          /* resume fences again with the nonce that was there */
#endif
#ifndef RESUME_NO_REFENCE
#define RESUME_NO_REFENCE 0   /* resume does not fence again */
#endif
#ifndef FENCE_REUSED
#define FENCE_REUSED 0        /* migrate takes a file that is already fenced by another claim as it is */
#endif
#ifndef NO_STAMP
#define NO_STAMP 0            /* the unfenced file carries no claim */
#endif
#ifndef NO_STALE_MARK
#define NO_STALE_MARK 0       /* commands do not stop at a newer nonce or stamp */
#endif
#ifndef NO_STALE_STAMP
#define NO_STALE_STAMP 0      /* commands do not stop at a newer stamp */
#endif
#ifndef ACTIVATE_FIRST
#define ACTIVATE_FIRST 0      /* ready and activate come before the fence */
#endif
#ifndef NO_RECOPY
#define NO_RECOPY 0           /* the pre-copy is taken for good although the file changed */
#endif

/* The Durable Object. */
#ifndef WRITE_IN_READY
#define WRITE_IN_READY 0      /* the object takes application writes in READY too */
#endif
#ifndef WRITE_IN_SEALED
#define WRITE_IN_SEALED 0     /* ... in SEALED too */
#endif
#ifndef WRITE_IN_IMPORTING
#define WRITE_IN_IMPORTING 0  /* ... in IMPORTING too */
#endif
#ifndef ACTIVATE_NOGEN
#define ACTIVATE_NOGEN 0      /* activate does not compare the claim */
#endif
#ifndef ACTIVATE_NOINTENT
#define ACTIVATE_NOINTENT 0   /* activate does not ask for a migrate claim */
#endif
#ifndef ACTIVATE_NOPHASE
#define ACTIVATE_NOPHASE 0    /* activate does not look at the phase */
#endif
#ifndef ROWS_NOGEN
#define ROWS_NOGEN 0          /* rows do not compare the claim */
#endif
#ifndef ROWS_NOPHASE
#define ROWS_NOPHASE 0        /* rows do not look at the phase */
#endif
#ifndef ROWS_NODEDUP
#define ROWS_NODEDUP 0        /* a batch that was applied is applied again */
#endif
#ifndef READY_NOGEN
#define READY_NOGEN 0         /* ready does not compare the claim */
#endif
#ifndef READY_NOPHASE
#define READY_NOPHASE 0       /* ready does not look at the phase */
#endif
#ifndef READY_NODIGEST
#define READY_NODIGEST 0      /* ready does not compare the digest */
#endif
#ifndef RESET_NOGEN
#define RESET_NOGEN 0         /* reset does not compare the claim */
#endif
#ifndef RESET_NOPHASE
#define RESET_NOPHASE 0       /* reset does not look at the phase */
#endif
#ifndef RELEASE_NOGEN
#define RELEASE_NOGEN 0       /* release does not compare the claim */
#endif
#ifndef RELEASE_NOPHASE
#define RELEASE_NOPHASE 0     /* release does not look at the phase */
#endif
#ifndef CLAIM_NOCAS
#define CLAIM_NOCAS 0         /* a claim does not compare the gen that its sender saw */
#endif
#ifndef CLAIM_SEALED_NOBUMP
#define CLAIM_SEALED_NOBUMP 0 /* a claim on SEALED takes no new number */
#endif
#ifndef CLAIM_ACTIVE_NOBUMP
#define CLAIM_ACTIVE_NOBUMP 0 /* a migrate claim on ACTIVE takes no new number */
#endif
#ifndef CLAIM_IMPORT_NOBUMP
#define CLAIM_IMPORT_NOBUMP 0 /* a migrate claim on IMPORTING or READY takes no new number */
#endif
#ifndef CLAIM_ABORT_NOBUMP
#define CLAIM_ABORT_NOBUMP 0  /* a rollback claim on EMPTY, IMPORTING or READY takes no new number */
#endif
#ifndef GEN_RESET
#define GEN_RESET 0           /* release sets gen back */
#endif
#ifndef WAKE_NO_LOOK
#define WAKE_NO_LOOK 0        /* an object that starts does not compare its counter with the file's mark */
#endif
#ifndef WAKE_NO_LINEAGE
#define WAKE_NO_LINEAGE 0     /* ... or compares the counter only, not the lineage */
#endif
#ifndef IMPORT_OVER_ACTIVE
#define IMPORT_OVER_ACTIVE 0  /* a migrate claim on ACTIVE imports again */
#endif
#ifndef IMPORT_OVER_SEALED
#define IMPORT_OVER_SEALED 0  /* a migrate claim on SEALED imports again */
#endif

/* The commands. */
#ifndef ABORT_FILE_ONLY
#define ABORT_FILE_ONLY 0     /* rollback of an unfinished migration lifts the fence without telling the object */
#endif
#ifndef FETCH_NOGEN
#define FETCH_NOGEN 0         /* a version that was read under the claim is fenced without asking whether the claim is still the last one */
#endif
#ifndef LIFT_UNCOND
#define LIFT_UNCOND 0         /* the lift has no If-Match */
#endif
#ifndef LIFT_FENCED_ONLY
#define LIFT_FENCED_ONLY 0    /* the lift leaves a file alone that carries no fence */
#endif
#ifndef NO_SEAL
#define NO_SEAL 0             /* a rollback claim leaves ACTIVE as it is */
#endif
#ifndef EXPORT_UNCOND
#define EXPORT_UNCOND 0       /* the export PUT has no If-Match */
#endif
#ifndef EXPORT_NOGEN
#define EXPORT_NOGEN 0        /* an export does not look whether its claim is still the last one */
#endif
#ifndef RELEASE_FIRST
#define RELEASE_FIRST 0       /* release comes before the export PUT */
#endif
#ifndef CLAIM_AFTER_LOOK
#define CLAIM_AFTER_LOOK 0    /* rollback looks at the file before its claim and believes that look */
#endif
#ifndef EXPORT_NOLIN
#define EXPORT_NOLIN 0        /* rollback takes any fence for its own lineage's */
#endif
#ifndef KEPT_ANY
#define KEPT_ANY 0            /* any file under the fence is taken for the one that was migrated */
#endif
#ifndef EXPORT_NOOPEN
#define EXPORT_NOOPEN 0       /* an export counts although the object was opened again after its claim */
#endif
#ifndef RESUME_NOLIN
#define RESUME_NOLIN 0        /* resume takes any fence for its own lineage's */
#endif
#ifndef NO_RESET
#define NO_RESET 0            /* no reset before a second copy */
#endif
#ifndef GIVEUP_CLAIM_ONLY
#define GIVEUP_CLAIM_ONLY 0   /* a migrate that fails before its fence empties the object and leaves the file alone */
#endif
#ifndef GIVEUP_FRESH_CLAIM
#define GIVEUP_FRESH_CLAIM 0  /* a migrate that fails rolls back under whatever claim it can get */
#endif
#ifndef NOTHING_NOSTAMP
#define NOTHING_NOSTAMP 0     /* rollback takes EMPTY and unfenced for "nothing to do" without comparing stamp and gen */
#endif
#ifndef SEAL_NOSTALE
#define SEAL_NOSTALE 0        /* a rollback that finds ACTIVE judges the fence without looking for a newer claim */
#endif
#ifndef FOREIGN_TAKEN
#define FOREIGN_TAKEN 0       /* under SEALED any unfenced file is taken for an export */
#endif
#ifndef ACTIVE_NOSTALE
#define ACTIVE_NOSTALE 0      /* a migrate that finds ACTIVE judges the fence without looking for a newer claim */
#endif

/* Composite requests. */
#ifndef SWITCH_GOES_ON
#define SWITCH_GOES_ON 0      /* a switch opens the object although its fence was refused */
#endif
#ifndef SWITCH_ANY_FENCE
#define SWITCH_ANY_FENCE 0    /* a switch that finds any fence in the file takes it for its own */
#endif
#ifndef CLAIM_AGAIN_FRESH
#define CLAIM_AGAIN_FRESH 0   /* after an import that failed, a command claims whatever it can get */
#endif

/* The composite request of the way back. */
#ifndef RETURN_UNCOND
#define RETURN_UNCOND 0       /* its PUT has no If-Match */
#endif
#ifndef RETURN_NOCOMPARE
#define RETURN_NOCOMPARE 0    /* it puts the kept file back whatever the object holds */
#endif
#ifndef RETURN_NOLOOK
#define RETURN_NOLOOK 0       /* it releases the object although its PUT may have been refused */
#endif

/* Births. */
#ifndef BIRTH_UNCOND
#define BIRTH_UNCOND 0        /* its fence PUT has no condition */
#endif
#ifndef BIRTH_NO_FENCE
#define BIRTH_NO_FENCE 0      /* it opens the object and leaves the file absent */
#endif
#ifndef BIRTH_GOES_ON
#define BIRTH_GOES_ON 0       /* it opens the object although its fence was refused */
#endif
#ifndef BIRTH_NO_REFENCE
#define BIRTH_NO_REFENCE 0    /* it takes the fence of another birth for its own */
#endif
#ifndef BIRTH_ANY_FENCE
#define BIRTH_ANY_FENCE 0     /* it takes any fence for one of a birth */
#endif
#ifndef BIRTH_ANY_PHASE
#define BIRTH_ANY_PHASE 0     /* its claim does not look at the phase */
#endif
#ifndef BIRTH_LEFT
#define BIRTH_LEFT 0          /* no router ends what a birth left open */
#endif

/* gc. */
#ifndef GC_UNCOND
#define GC_UNCOND 0           /* the tombstone PUT has no If-Match */
#endif
#ifndef GC_ANY_PHASE
#define GC_ANY_PHASE 0        /* gc does not ask the Durable Object */
#endif
#ifndef GC_DELETES
#define GC_DELETES 0          /* gc deletes the file */
#endif
#ifndef KEPT_FROM_TOMBSTONE
#define KEPT_FROM_TOMBSTONE 0 /* rollback takes a tombstone for the kept file */
#endif

/* Beside a backend that knows no fence and saves unconditionally. */
#ifndef ROUTER_SAVES
#define ROUTER_SAVES 0        /* the router saves its files, too */
#endif
#ifndef NO_POISON
#define NO_POISON 0           /* its SQLite writes what is fenced */
#endif
#ifndef NO_WAIT
#define NO_WAIT 0             /* migrate does not wait, behind its fence, for requests that loaded before it */
#endif
#ifndef NO_LAST_LOOK
#define NO_LAST_LOOK 0        /* ... and does not look then whether its fence was overwritten */
#endif
#ifndef NO_SETTLE
#define NO_SETTLE 0           /* ... and does not look once more after the switch */
#endif

/* The router. */
#ifndef WORKER_NO_FENCE
#define WORKER_NO_FENCE 0     /* the router does not look for a fence */
#endif
#ifndef WORKER_UNCOND
#define WORKER_UNCOND 0       /* the router's save has no If-Match */
#endif
#ifndef CREATE_NO_ASK
#define CREATE_NO_ASK 0       /* the router creates an absent file without asking the object */
#endif
#ifndef CREATE_EARLY
#define CREATE_EARLY 0        /* ... or creates it beside an object into which a migrate is importing */
#endif
#ifndef WORKER_NO_FALLBACK
#define WORKER_NO_FALLBACK 0  /* the router does not go to the file when the object refuses */
#endif
#ifndef READ_NO_FILE_RECHECK
#define READ_NO_FILE_RECHECK 0 /* a fenced file answers without a second look at it */
#endif
#ifndef READ_NO_SEAL_RECHECK
#define READ_NO_SEAL_RECHECK 0 /* a sealed object answers without a second look at the file */
#endif
#ifndef READ_ANY_FENCE
#define READ_ANY_FENCE 0      /* that second look accepts any lineage */
#endif

/* Split mode: the object. */
#ifndef NO_COLD_SEAL
#define NO_COLD_SEAL 0        /* a rollback claim leaves COLD as it is */
#endif
#ifndef SPLIT_OVER_READY
#define SPLIT_OVER_READY 0    /* a split claim on SPLIT_READY imports again */
#endif
#ifndef RESET_NOLIN
#define RESET_NOLIN 0         /* a reset throws away what its own claim has imported */
#endif
#ifndef RESET_NOINTENT
#define RESET_NOINTENT 0      /* a reset under a rollback's claim does as well */
#endif
#ifndef MERGE_NOGEN
#define MERGE_NOGEN 0         /* merge does not compare the claim */
#endif
#ifndef MERGE_NOINTENT
#define MERGE_NOINTENT 0      /* merge does not ask for a rollback's claim */
#endif
#ifndef RELEASE_NOINTENT
#define RELEASE_NOINTENT 0    /* release of a split user does not ask for a rollback's claim */
#endif
#ifndef WRITE_IN_COLD_SEALED
#define WRITE_IN_COLD_SEALED 0 /* the object takes writes of cold rows in COLD_SEALED too */
#endif

/* Split mode: the commands. */
#ifndef READY_BEFORE_FENCE
#define READY_BEFORE_FENCE 0  /* ready comes before the fence */
#endif
#ifndef HOT_UNCOND
#define HOT_UNCOND 0          /* the hot file's PUT has no If-Match */
#endif
#ifndef COLD_BEFORE_HOT
#define COLD_BEFORE_HOT 0     /* activate comes before the hot file's PUT */
#endif
#ifndef SPLIT_RESET_NOREFENCE
#define SPLIT_RESET_NOREFENCE 0 /* resume of SPLIT_READY does not fence again before it resets */
#endif
#ifndef COLD_NOCLAIM
#define COLD_NOCLAIM 0        /* a split that finds COLD and a file stamped by the last claim takes no claim */
#endif
#ifndef COLD_NOTOUCH
#define COLD_NOTOUCH 0        /* a split that finds COLD leaves a file alone that carries no fence */
#endif
#ifndef GIVE_BACK_NOREFENCE
#define GIVE_BACK_NOREFENCE 0 /* give-back from MERGING does not fence again */
#endif
#ifndef GIVE_BACK_LIFT_FIRST
#define GIVE_BACK_LIFT_FIRST 0 /* give-back from MERGING lifts the fence before it activates */
#endif
#ifndef UNDO_LIFT_FIRST
#define UNDO_LIFT_FIRST 0     /* undo lifts the fence before the release */
#endif
#ifndef UNDO_LIFT_UNKNOWN
#define UNDO_LIFT_UNKNOWN 0   /* undo lifts the fence when the release was not answered */
#endif
#ifndef UNDO_NOREFENCE
#define UNDO_NOREFENCE 0      /* undo does not fence again before the release */
#endif
#ifndef NO_MERGE_MESSAGE
#define NO_MERGE_MESSAGE 0    /* merge is not sent */
#endif
#ifndef MERGE_BEFORE_FENCE
#define MERGE_BEFORE_FENCE 0  /* merge is sent before the hot file is fenced */
#endif
#ifndef FENCE_HOT_NOGEN
#define FENCE_HOT_NOGEN 0     /* a merge fences the hot file without asking whether its claim is still the last one */
#endif
#ifndef MERGE_NOREFENCE
#define MERGE_NOREFENCE 0     /* a merge takes a fence that is there already as it is */
#endif
#ifndef MERGING_NOREFENCE
#define MERGING_NOREFENCE 0   /* a merge that another one began does not fence again */
#endif
#ifndef MERGED_NOTOUCH
#define MERGED_NOTOUCH 0      /* the file of a merge that an earlier run finished is left alone */
#endif
#ifndef WHOLE_UNCOND
#define WHOLE_UNCOND 0        /* the whole file's PUT has no If-Match */
#endif
#ifndef LIFTS
#define LIFTS 0               /* how often somebody lifts a fence without telling the object */
#endif

/* Split mode: the router. */
#ifndef SPLIT_READY_NO_LOOK
#define SPLIT_READY_NO_LOOK 0 /* the answer of SPLIT_READY counts without a look at the file */
#endif
#ifndef MERGING_NO_LOOK
#define MERGING_NO_LOOK 0     /* ... that of MERGING */
#endif
#ifndef NO_SECOND_ASK
#define NO_SECOND_ASK 0       /* ... that of SPLIT_READY without a second question to the object */
#endif
#ifndef NOT_SPLIT_NO_ASK
#define NOT_SPLIT_NO_ASK 0    /* "not split" is answered without a second question to the object */
#endif
#ifndef BOTH_NO_STATE
#define BOTH_NO_STATE 0       /* queryBoth does not compare the object's states */
#endif
#ifndef BOTH_NO_COUNTER
#define BOTH_NO_COUNTER 0     /* queryBoth does not look whether cold rows changed in between */
#endif
