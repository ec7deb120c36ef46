/* How a command's message reaches the file or the object. It may arrive and be answered; the command may die around it, and then it
 * arrives later or never; its answer may be lost, with the effect before, after or never; it may arrive twice. Each has a budget. */

/* For the reader of a counterexample. Contents are shown as sets of bits. */
#define BITS(c) ((c) >> 3) & 1, ((c) >> 2) & 1, ((c) >> 1) & 1, (c) & 1
inline print_state() {
	printf("      file %d%d%d%d", BITS(file));
	if
	:: file == ABSENT -> printf(" absent")
	:: FENCED(file) && TOMBSTONE(file) -> printf(" TOMBSTONE F(%d,%d)", LIN(file), NON(file))
	:: FENCED(file) && !TOMBSTONE(file) -> printf(" F(%d,%d)", LIN(file), NON(file))
	:: !FENCED(file) && file != ABSENT -> printf(" U(%d)", STAMP(file))
	fi;
	printf("   object %d%d%d%d %e gen %d lin %d   acknowledged %d%d%d%d\n", BITS(content), phase, gen, lin, BITS(acked))
}

#define ANY (-1)  /* a PUT without a condition */

typedef Message { mtype name; byte g; int a; int b }

#if LATE > 0
Message late[LATE];
#endif
byte crashes = CRASHES;
byte failures = FAILURES;
byte repeats = REPEATS;
byte corrupt = CORRUPT;
mtype answer;

/* What becomes of the message that is being sent. */
mtype = { ARRIVES, SENDER_DIES, UNANSWERED, DELAYED, REPEATED };
mtype fate;

inline put(expected, new) {
	if
	:: (expected) == ANY || ETAG(expected) == ETAG(file) -> file = (new); answer = YES
	:: else -> answer = LOST
	fi
}

/* `a` is a message's body, or the version that a PUT expects; `b` is what a PUT writes. */
inline arrive(name_, g_, a_, b_) {
	d_step {
		if
		:: name_ == PUT -> put(a_, b_)
		:: else -> tell_store(name_, g_, a_)
		fi;
		if
		:: name_ == PUT -> printf("%d: PUT: %e\n", _pid, answer)
		:: else -> printf("%d: %e(%d): %e\n", _pid, name_, g_, answer)
		fi;
		print_state()
	};
	check()
}

#if LATE > 0
#define SLOT_FREE(i) (late[i].name == 0)
inline fill(i, name_, g_, a_, b_) { late[i].name = name_; late[i].g = g_; late[i].a = a_; late[i].b = b_ }
#endif

inline keep(name_, g_, a_, b_) {
	if
#if LATE > 0
	:: SLOT_FREE(0) -> fill(0, name_, g_, a_, b_)
#endif
#if LATE > 1
	:: !SLOT_FREE(0) && SLOT_FREE(1) -> fill(1, name_, g_, a_, b_)
#endif
	:: else -> skip
	fi
}

/* Inside a command only: a death goes to its label `crashed`. The command that is called `last` does not die. */
inline send(name_, g_, a_, b_) {
	if
	:: fate = ARRIVES
	:: !last && crashes > 0 -> crashes--; fate = SENDER_DIES
	:: failures > 0 -> failures--; fate = UNANSWERED
	:: failures > 0 && LATE > 0 -> failures--; fate = DELAYED
	:: repeats > 0 -> repeats--; fate = REPEATED
	fi;
	if
	:: fate == SENDER_DIES || fate == DELAYED || fate == REPEATED -> keep(name_, g_, a_, b_);
		printf("%d: %e(%d): %e, and a copy is under way\n", _pid, name_, g_, fate)
	:: else -> skip
	fi;
	if
	:: fate == SENDER_DIES -> fate = 0; goto crashed
	:: else -> skip
	fi;
	if
	:: fate != DELAYED -> arrive(name_, g_, a_, b_)
	:: else -> skip
	fi;
	if
	:: fate == UNANSWERED || fate == DELAYED -> answer = UNKNOWN; printf("%d: no answer\n", _pid)
	:: else -> skip
	fi;
	fate = 0
}

/* The answer was `value`; it is forgotten at once, so that it does not count as state. */
#define IS(value) answer == (value) -> answer = 0

#if LATE > 0
active proctype Network() {
	Message m;
end:	do
	:: atomic { !SLOT_FREE(0) -> arrive(late[0].name, late[0].g, late[0].a, late[0].b); answer = 0; fill(0, 0, 0, 0, 0) }
#if LATE > 1
	:: atomic { !SLOT_FREE(1) -> arrive(late[1].name, late[1].g, late[1].a, late[1].b); answer = 0; fill(1, 0, 0, 0, 0) }
#endif
	od
}
#endif
