/* The properties. Each is a named variable so that a counterexample names what it violates. Without -DONLY all are checked; with it,
 * those with -DWITH_<NAME>: a removed check may make the authority rule itself meaningless, so mutations are held to the end-to-end ones. */

#ifndef ONLY
#define WITH_AUTH
#define WITH_TWICE
#define WITH_SPLIT
#define WITH_LINEAGE
#define WITH_NUMBERS
#define WITH_LOSS
#define WITH_KEPT
#define WITH_AVAIL
#define WITH_READ
#define WITH_HOPS
#define WITH_ALARM
#define WITH_FINISHES
#endif

/* 1 means violated. They are variables for the sake of their names: as long as all is well they are 0 in every state. */
bit AUTH, TWICE, SPLIT, LINEAGE, NUMBERS, LOSS, KEPT, AVAIL, READ, HOPS, ALARM, FINISHES;

#define HOLD(name, holds) name = !(holds); assert(!name)

#if SPLIT_MODE && READERS > 0
#define NOT_SPLIT 255
int moments;      /* the contents that were authoritative since a read began, one bit each; 0 while none is under way */
bit cold_stayed;  /* the cold rows were the object's ever since */
bit cold_seen;    /* ... at one of these moments */
/* The contents whose cold part is this one. */
#if COLD_WRITES == 1
#define COLD_AMONG(cold_part) (15 << (cold_part))
#else
#define COLD_AMONG(cold_part) (3 << (cold_part))
#endif
#endif

/* After every change of the file, the object or the acknowledged writes. */
inline check() {
	d_step {
		skip;
#if SPLIT_MODE && READERS > 0
		moments = (moments == 0 -> 0 : moments | (1 << AUTHORITATIVE));
		cold_stayed = cold_stayed && COLD_IN_STORE;
		cold_seen = moments != 0 && (cold_seen || COLD_IN_STORE);
#endif
#ifdef WITH_AUTH
		HOLD(AUTH, SUBSET(acked, AUTHORITATIVE));
#endif
#if defined(WITH_TWICE) && SPLIT_MODE
		HOLD(TWICE, !COLD_IN_STORE || (COLD_PART(CONTENT(file)) == 0 && HOT_PART(content) == 0));
#endif
#ifdef WITH_SPLIT
		HOLD(SPLIT, !(phase == ACTIVE && !FENCED(file)));
#endif
#ifdef WITH_LINEAGE
		HOLD(LINEAGE, phase != ACTIVE || LIN(file) == lin);
#endif
#ifdef WITH_NUMBERS
		HOLD(NUMBERS, LIN(file) <= NON(file) && NEWEST(file) <= gen && lin <= gen && (lin > 0 || phase == EMPTY) && gen < 15);
#endif
#ifdef WITH_LOSS
		HOLD(LOSS, ended == 0 || SUBSET(acked, FINAL_CONTENT));
#endif
#ifdef WITH_KEPT
		HOLD(KEPT, SUBSET(acked, content | CONTENT(file)));
#endif
#ifdef WITH_AVAIL
		HOLD(AVAIL, ended == 0 || SERVED);
#endif
	}
}

/* A birth may take the user from the last command. */
#if BIRTHS > 0
#define BORN_SINCE (born > g)
#define NOBODY     nobody
#else
#define BORN_SINCE false
#define NOBODY     false
#endif

/* The last command was superseded although no newer one exists. */
inline last_superseded() {
#ifdef WITH_AVAIL
	d_step { HOLD(AVAIL, BORN_SINCE) }
#else
	skip
#endif
}

/* The last command fails although every message arrived once and was answered. */
inline last_fails() {
#ifdef WITH_FINISHES
	d_step { HOLD(FINISHES, !last || FAILURES + REPEATS + CORRUPT > 0 || NOBODY || BORN_SINCE) }
#else
	skip
#endif
}

/* A command reports a conflict that a person has to solve; in the model nobody but the protocol writes, so there is none. */
inline alarm() {
#ifdef WITH_ALARM
	d_step { HOLD(ALARM, false) }
#else
	skip
#endif
}

/* A read that began when `must` was acknowledged or shown returns `result`. */
inline check_read(must, result) {
#ifdef WITH_READ
	d_step { HOLD(READ, SUBSET(must, result) && (SUBSET(shown, result) || SUBSET(result, shown))) }
#else
	skip
#endif
}

#if SPLIT_MODE && READERS > 0
/* A read of cold rows, and one of both parts, answer what was true at one moment. */
inline check_cold_read(answer_) {
#ifdef WITH_READ
	d_step { HOLD(READ, (answer_ == NOT_SPLIT -> !cold_stayed : cold_seen && (moments & COLD_AMONG(answer_)) != 0)) }
#else
	skip
#endif
}
inline check_both_read(hot_, cold_) {
#ifdef WITH_READ
	d_step { HOLD(READ, (cold_ == NOT_SPLIT -> ((moments >> hot_) & 1) : ((hot_ & cold_) == 0 && ((moments >> (hot_ | cold_)) & 1)))) }
#else
	skip
#endif
}
#endif

inline check_hops(hops) {
#ifdef WITH_HOPS
	d_step { HOLD(HOPS, hops <= 2) }
#else
	skip
#endif
}
