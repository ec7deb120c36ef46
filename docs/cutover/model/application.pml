/* The application's requests, through the router (worker/src/router). The flag in KV is noise: every request begins on either side. */

#if DELETES > 0
/* Somebody deletes the fenced object of a user who was migrated, or (EARLY) of one who is being migrated: then the file was the authority, and what was
 * acknowledged until then is gone by that hand. Routers that create what is absent (CREATES) ask the object first, and create nothing beside one
 * that is not EMPTY. Without that they acknowledge writes on both sides, and all that can be asked for is that no command destroys one of them (KEPT). */
byte deletes = DELETES;
active proctype Outsider() {
end:	do
	:: atomic { deletes > 0 && FENCED(file) && (phase == ACTIVE || phase == SEALED) -> deletes--; file = ABSENT; printf("%d: deletes the file\n", _pid); check() }
#if EARLY > 0
	:: atomic { deletes > 0 && FENCED(file) && (phase == IMPORTING || phase == READY) ->
		deletes--; file = ABSENT; acked = 0; shown = 0; printf("%d: deletes the file under the migrate\n", _pid); check() }
#endif
	od
}
#define MAY_SAVE (!FENCED(file) && (file != ABSENT || CREATES))
#else
/* Where there are births an absent file is created unasked, as an application without a router does. */
#define MAY_SAVE (!FENCED(file) || WORKER_NO_FENCE)
#endif

#if RESTORES > 0
/* Somebody sets the object back to a moment when it was active, while the file is the authority: point-in-time recovery after a rollback. Its
 * claim counter goes back as well. The object starts anew (`unchecked`), and compares itself with the file's mark before it serves. Its lineage
 * counts as well as its counter: a dead command's claim can land late and raise the counter again (WAKE_NO_LINEAGE). */
byte restores = RESTORES;
bit unchecked;
bit kept;
byte kept_gen, kept_lin, kept_content;
active proctype Recovery() {
end:	do
	:: atomic { !kept && phase == ACTIVE && LIN(file) == lin -> kept = 1; kept_gen = gen; kept_lin = lin; kept_content = content }
	:: atomic { kept && restores > 0 && phase != ACTIVE && !FENCED(file) ->
		restores--; unchecked = 1;
		phase = ACTIVE; gen = kept_gen; lin = kept_lin; content = kept_content; receipt = kept_content; intent = TO_STORE;
		printf("%d: sets the object back\n", _pid); print_state(); check() }
	od
}
#define BEHIND      (NEWEST(file) > gen || (!WAKE_NO_LINEAGE && (FENCED(file) -> LIN(file) > lin : STAMP(file) >= lin)))
#define MARK_ALLOWS (!unchecked || !BEHIND || WAKE_NO_LOOK)
#define HAS_LOOKED  unchecked = 0
#else
#define MARK_ALLOWS true
#define HAS_LOOKED  skip
#endif

#if BACKUPS > 0
/* Somebody sets the bucket back while the object is the authority and lives on: the file returns to an earlier version, marks included. What the
 * application writes from then on may be acknowledged by either side, so all that can be asked for is that no command destroys one of the two (KEPT). */
byte backups = BACKUPS;
bit saved;
int backup;
active proctype Backup() {
end:	do
	:: atomic { !saved -> saved = 1; backup = file }
	:: atomic { saved && backups > 0 && STORE_RULES && file != backup ->
		backups--; file = backup; backup = 0; printf("%d: sets the file back\n", _pid); print_state(); check() }
	od
}
#endif
/* What such an object holds is not in the file, or a command is about to open it. */
#define ALIVE (phase == ACTIVE || phase == SEALED || (!CREATE_EARLY && phase != EMPTY))

#if WRITERS > 0 || UNCONDITIONAL > 0
inline acknowledge() { acked = acked | next_bit; next_bit = next_bit << 1; writes--; printf("%d: application write acknowledged\n", _pid); print_state() }

#endif

#if WRITERS > 0
/* A writer adds its own writes, one bit each from `next_bit` up, one after the other; it may stop at any time. An attempt that a side refuses
 * changes nothing, and the next one begins on either side again, so refusals leave no trace here; Visitor counts them. */
proctype Writer(byte next_bit; byte writes) {
	int seen;
end:	do
	:: d_step { writes > 0 && TAKES_WRITES && MARK_ALLOWS ->
		HAS_LOOKED; content = content | next_bit; acknowledge()
	   }; check()
	:: d_step { writes > 0 && MAY_SAVE -> seen = file; printf("%d: application GETs the file\n", _pid) };
#if DELETES > 0
		if
		:: seen == ABSENT && !CREATE_NO_ASK -> goto ask
		:: else -> goto save
		fi
#else
		goto save
#endif
	od;
#if DELETES > 0
ask:	atomic {
		if
		:: ALIVE -> seen = 0; goto end
		:: else -> goto save
		fi
	};
#endif
save:	atomic {
		if
		:: ETAG(seen) == ETAG(file) || WORKER_UNCOND ->
			if
			:: file = (FENCED(seen) -> CONTENT(seen) : (seen & ~ABSENT)) | next_bit
#if VACUUM
			:: file = CONTENT(seen) | next_bit  /* the write is a VACUUM: the stamp goes */
#endif
			fi;
			acknowledge(); check()
		:: else -> skip
		fi;
		seen = 0; goto end
	}
}
#endif

#if UNCONDITIONAL > 0
/* A backend that knows no fence. It serialises its own requests of one user, and each request goes one of two ways, by a flag that may say anything:
 * the old path, which loads the file and saves whatever is there by then, or the router, which does not save files here. What is fenced when it is
 * loaded SQLite refuses to write. The lock covers the old path only. */
bit in_flight;  /* a request of the old path has loaded the file and has not ended: there is one at a time */
byte awaited;   /* the commands that wait for its end, one bit each */

inline old_path_ends() { in_flight = 0; awaited = 0; seen = 0 }

proctype OldWriter(byte next_bit; byte writes) {
	int seen;
end:	do
	:: d_step { writes > 0 && TAKES_WRITES -> content = content | next_bit; acknowledge() }; check()
	:: d_step { writes > 0 && !in_flight && (!FENCED(file) || NO_POISON) -> seen = file; in_flight = 1; printf("%d: the old path GETs the file\n", _pid) }; goto save
	:: d_step { writes > 0 && ROUTER_SAVES && MAY_SAVE -> seen = file; printf("%d: the router GETs the file\n", _pid) }; goto router_save
	od;
save:	atomic {
		if
		:: file = seen | next_bit; acknowledge(); old_path_ends(); check()
		:: old_path_ends()  /* it fails, or dies */
		fi;
		goto end
	};
router_save: atomic {
		if
		:: ETAG(seen) == ETAG(file) -> file = seen | next_bit; acknowledge(); check()
		:: else -> skip
		fi;
		seen = 0; goto end
	}
}
#endif

#if READERS > 0
inline answered(result) {
	printf("%d: read that began at %d%d%d%d answers %d%d%d%d\n", _pid, BITS(must), BITS(result));
	check_read(must, result);
	shown = shown | (result);
	must = 0; copy = 0; sealed = 0; l = 0
}

/* A reader may begin at the object (`copy` is 0) or at the file. What it answers has to hold every write that was acknowledged, and every
 * write that a completed read had shown, when it began. A refused attempt begins again at the file. */
proctype Reader(byte reads) {
	byte must;     /* what the answer has to hold */
	int copy;      /* the fenced version that was read, 0 if none */
	byte sealed;   /* what the sealed object answered */
	byte l;        /* ... and its lineage */

end:	do
	:: atomic { reads > 0 -> reads--; must = acked | shown;
		if
		:: goto at_file
		:: goto at_store
		fi
	   }
	od;

at_file: atomic {
		if
		:: !FENCED(file) -> answered(CONTENT(file)); goto end
		:: else -> copy = file; goto at_store
		fi
	};
at_store: atomic {
		if
		:: phase == ACTIVE -> answered(content); goto end
		:: phase == SEALED && (copy == 0 || LIN(copy) == lin || READ_ANY_FENCE) -> sealed = content; l = lin; copy = 0; goto look_again_sealed
		:: else ->
			if
			:: copy == 0 || TOMBSTONE(copy) -> copy = 0; goto at_file
			:: else -> goto look_again_file
			fi
		fi
	};
look_again_sealed: atomic {
		if
		:: READ_NO_SEAL_RECHECK || LIN(file) == l || (READ_ANY_FENCE && FENCED(file)) -> answered(sealed); goto end
		:: else -> sealed = 0; l = 0; goto at_file
		fi
	};
look_again_file: atomic {
		if
		:: READ_NO_FILE_RECHECK || file == copy -> answered(CONTENT(copy)); goto end
		:: else -> copy = 0; goto at_file
		fi
	}
}
#endif

#if VISITORS > 0
inline hop() {
	if
	:: ended > 0 -> hops++; check_hops(hops)
	:: else -> skip
	fi
}

/* One request that goes from side to side as the router does, from either side and with a copy that may be old. Once the last command has
 * ended it must find its side in two redirects. (A lost save is no redirect: another writer's success paid for it.) */
proctype Visitor() {
	byte hops;
	if
	:: goto at_file
	:: goto at_store
	fi;
at_file: atomic {
		if
		:: !FENCED(file) -> goto served
		:: else -> hop(); goto at_store
		fi
	};
at_store: atomic {
		if
		:: phase == ACTIVE -> goto served
		:: else -> hop();
			if
			:: WORKER_NO_FALLBACK -> goto at_store
			:: else -> goto at_file
			fi
		fi
	};
served:	hops = 0
}
#endif
