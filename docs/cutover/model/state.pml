/* The two strongly consistent objects of one user, and what can be read off them.
 *
 * A content is the set of application writes in it, one bit each. A file is one integer that holds everything its bytes hold: content,
 * fence or stamp, tombstone. Its ETag is that integer, so equal bytes have equal ETags. The random bytes in the real marks are left out:
 * the model grants an adversary every coincidence of ETags that the claim numbers do not exclude.
 *
 *   bits 0-3 content | 4-7 lineage | 8-11 nonce | 12-15 stamp | 16 tombstone | 17 absent | 18-19 change counter
 *
 * Only VACUUMS, which drop a stamp, count in the change counter: everything else makes other bytes anyway, or is meant not to.
 */

#define CONTENT(f)   ((f) & 15)
#define LIN(f)       (((f) >> 4) & 15)
#define NON(f)       (((f) >> 8) & 15)
#define STAMP(f)     (((f) >> 12) & 15)
#define TOMBSTONE(f) (((f) >> 16) & 1)
#define ABSENT       (1 << 17)
#define COUNTER(f)   ((f) & (3 << 18))
#define BYTES(f)     (CONTENT(f) | COUNTER(f))  /* without marks */
#define FENCED(f)    (LIN(f) > 0)
#define NEWEST(f)    (NON(f) > STAMP(f) -> NON(f) : STAMP(f))

#if NO_STAMP
#define UNFENCED_FILE(content, stamp)   (content)
#else
#define UNFENCED_FILE(content, stamp)   ((content) | ((stamp) << 12))
#endif
#define FENCED_FILE(content, lin_, non) ((content) | ((lin_) << 4) | ((non) << 8))
#define TOMBSTONE_OF(f)                 (FENCED_FILE(0, LIN(f), NON(f)) | (1 << 16))
#if NONCE_KEPT
#define REFENCED(f, non)                (f)
#else
#define REFENCED(f, non)                (((f) & ~(15 << 8)) | ((non) << 8))
#endif

#if META_FENCE
#define ETAG(f) CONTENT(f)
#elif NO_NONCE
#define ETAG(f) (FENCED(f) -> (CONTENT(f) | 16) : (f))
#else
#define ETAG(f) (f)
#endif

/* In searches with SPLIT_MODE a content is in two parts, the hot rows and the cold ones: the last bit says that the cold rows are there at all,
 * COLD_WRITES bits are the application's writes to them, and the rest its writes to hot rows. */
#ifndef COLD_WRITES
#define COLD_WRITES 1
#endif
#define COLD_ROWS 8
#define HOT_PART(c)  ((c) & (7 >> COLD_WRITES))
#define COLD_PART(c) ((c) & (15 - (7 >> COLD_WRITES)))

#if SPLIT_MODE
int file = COLD_ROWS;  /* at first a file that was never touched */
#elif BIRTHS > 0
int file = ABSENT;
#else
int file;  /* at first a file that was never touched, with nothing in it */
#endif

/* Phases of the Durable Object, by the names of pkg/userdb/phase.go. */
mtype = { EMPTY, IMPORTING, READY, ACTIVE, SEALED, SPLITTING, SPLIT_READY, COLD, COLD_SEALED, MERGING };
#define IS_SPLIT (phase == SPLIT_READY || phase == COLD || phase == COLD_SEALED || phase == MERGING)

/* What a claim is for: migrate, split, rollback. */
mtype = { TO_STORE, TO_SPLIT, TO_FILE };

mtype phase = EMPTY;
byte gen;            /* the last claim number; never set back */
byte lin;            /* the claim whose import the object holds */
byte content;        /* what the object holds */
byte applied;        /* the row batches of this import, one bit each */
byte receipt;        /* the content that `ready` proved */
mtype intent;        /* of the last claim */
#if RETURNS
byte claim_id;       /* of the last claim: the request that made it, 0 for a single claim */
#define note_claim(id) claim_id = (id)
#else
#define note_claim(id) skip
#endif

#if BIRTHS > 0
byte born;           /* the last claim of a birth: the object keeps a claim's id */
byte bearing;        /* births that are under way */
#define BORN_CLAIM (born == gen && (phase == IMPORTING || phase == READY))
/* The empty database under a fence. A router ends what a birth left open; a newer mark is not one of this object. */
#define BORN_FENCE(f)  (FENCED(f) && !TOMBSTONE(f) && (CONTENT(f) == 0 || BIRTH_ANY_FENCE))
#define ENDS_BIRTH (!BIRTH_LEFT && BORN_FENCE(file) && (phase == EMPTY || BORN_CLAIM))
#endif

#if BACKUPS > 0
byte opened;         /* the claim under which the object last began to serve */
#define note_opened(by) opened = (by)
#else
#define note_opened(by) skip
#endif

/* What the outside world knows. */
#if SPLIT_MODE
byte acked = COLD_ROWS;
#else
byte acked;          /* application writes that were acknowledged */
#endif
byte shown;          /* writes that a completed read has returned */
byte ended;           /* how the last command ended: 0 not yet, or a DONE_ value */
#define DONE_STORE  1 /* a migrate reported success */
#define DONE_FILE   2 /* a rollback reported success */
#define DONE_SPLIT  4 /* a split reported success */
#define DONE_CLOSED 3 /* the command failed and reported that nothing is left open */

#define SUBSET(a, b) (((a) & ~(b)) == 0)

/* The authority rule, and where a request can be served now. COLD_IN_STORE: cold rows are the object's, hot ones the file's. */
#define STORE_RULES   (FENCED(file) && (phase == ACTIVE || phase == SEALED) && lin == LIN(file))
#define COLD_IN_STORE (phase == COLD || phase == COLD_SEALED || (phase == SPLIT_READY && LIN(file) != lin) || (phase == MERGING && LIN(file) == lin))
#if SPLIT_MODE
#define BOTH_PARTS    (HOT_PART(CONTENT(file)) | COLD_PART(content))
#define AUTHORITATIVE (STORE_RULES -> content : (COLD_IN_STORE -> BOTH_PARTS : CONTENT(file)))
#define SERVED        (phase == COLD -> !FENCED(file) : (!IS_SPLIT && (!FENCED(file) || (phase == ACTIVE && lin == LIN(file)))))
#define FINAL_CONTENT (ended == DONE_STORE -> content : (ended == DONE_SPLIT -> BOTH_PARTS : (ended == DONE_FILE -> CONTENT(file) : AUTHORITATIVE)))
#else
#define AUTHORITATIVE (STORE_RULES -> content : CONTENT(file))
#if BIRTHS > 0
/* A birth may come after the last command, and moves the user then. */
#define SERVED        (!FENCED(file) || (phase == ACTIVE && lin == LIN(file)) || bearing > 0 || ENDS_BIRTH)
#define FINAL_CONTENT AUTHORITATIVE
#else
#define SERVED        (!FENCED(file) || (phase == ACTIVE && lin == LIN(file)))
#define FINAL_CONTENT (ended == DONE_STORE -> content : (ended == DONE_FILE -> CONTENT(file) : (FENCED(file) && phase == ACTIVE -> content : CONTENT(file))))
#endif
#endif
