/* The two strongly consistent objects of one user, and what can be read off them.
 *
 * A content is the set of application writes in it, one bit each. A file is one integer that holds everything its bytes hold: content,
 * fence or stamp, tombstone. Its ETag is that integer, so equal bytes have equal ETags. The random bytes in the real marks are left out:
 * the model grants an adversary every coincidence of ETags that the claim numbers do not exclude.
 *
 *   bits 0-3 content | 4-7 lineage | 8-11 nonce | 12-15 stamp | 16 tombstone | 17 absent
 */

#define CONTENT(f)   ((f) & 15)
#define LIN(f)       (((f) >> 4) & 15)
#define NON(f)       (((f) >> 8) & 15)
#define STAMP(f)     (((f) >> 12) & 15)
#define TOMBSTONE(f) (((f) >> 16) & 1)
#define ABSENT       (1 << 17)
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

int file;  /* at first a file that was never touched, with nothing in it */

/* Phases of the Durable Object, by the names of pkg/userdb/phase.go. */
mtype = { EMPTY, IMPORTING, READY, ACTIVE, SEALED };

mtype phase = EMPTY;
byte gen;            /* the last claim number; never set back */
byte lin;            /* the claim whose import the object holds */
byte content;        /* what the object holds */
byte applied;        /* the row batches of this import, one bit each */
byte receipt;        /* the content that `ready` proved */
bit migrating;       /* the intent of the last claim */

/* What the outside world knows. */
byte acked;          /* application writes that were acknowledged */
byte shown;          /* writes that a completed read has returned */
byte ended;           /* how the last command ended: 0 not yet, or a DONE_ value */
#define DONE_STORE  1 /* a migrate reported success */
#define DONE_FILE   2 /* a rollback reported success */
#define DONE_CLOSED 3 /* the command failed and reported that nothing is left open */

#define SUBSET(a, b) (((a) & ~(b)) == 0)

/* The authority rule, and where a request can be served now. */
#define STORE_RULES  (FENCED(file) && (phase == ACTIVE || phase == SEALED) && lin == LIN(file))
#define AUTHORITATIVE (STORE_RULES -> content : CONTENT(file))
#define SERVED       (!FENCED(file) || (phase == ACTIVE && lin == LIN(file)))
#define FINAL_CONTENT (ended == DONE_STORE -> content : (ended == DONE_FILE -> CONTENT(file) : (FENCED(file) && phase == ACTIVE -> content : CONTENT(file))))
