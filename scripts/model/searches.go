package main

import "slices"

// search is one configuration of docs/cutover/model/cutover.pml.
type search struct {
	name string
	what string
	// config are definitions of cutover.pml; what is not named has the default there.
	config []string
	// only are the properties to check; all of them when empty.
	only []string
	// breaks is the property that a mutation has to violate; "" for a search that has to be complete and
	// clean.
	breaks string
	size   size
}

// size says in which runs a search takes part: a run has the searches of its size and of those below, quick
// ones in every run.
type size int

const (
	quick size = iota - 1 // seconds each: one of them in each `make test`
	usual                 // minutes
	full                  // half an hour
)

// defines are the search's arguments for Spin.
func (s search) defines() []string {
	var args []string
	for _, c := range s.config {
		args = append(args, "-D"+c)
	}
	if s.breaks != "" {
		return append(args, "-DONLY", "-DWITH_"+s.breaks)
	}
	if len(s.only) > 0 {
		args = append(args, "-DONLY")
	}
	for _, property := range s.only {
		args = append(args, "-DWITH_"+property)
	}
	return args
}

func config(definitions ...string) []string { return definitions }

// safety are the properties that hold without stamps, too: without them only AVAIL is lost.
var safety = []string{"AUTH", "SPLIT", "LINEAGE", "LOSS"}

// searches have to be complete and find nothing. Two operators have one command each, and two writers one
// write each, where nothing else is said; then comes the last command. The first of each kind runs in
// minutes.
var searches = []search{
	{name: "writes", what: "2 writers x 2, 2+1 commands, 1 death, 1 late",
		config: config("A_COMMANDS=2", "WRITES=2", "LATE=1", "CRASHES=1")},
	{name: "pre-copy", what: "2 writers x 2, pre-copy, 1 death, 1 late",
		config: config("WRITES=2", "LATE=1", "CRASHES=1", "PRECOPY=1")},
	{name: "repeated", what: "pre-copy, 2 batches, messages arrive twice",
		config: config("BATCHES=2", "PRECOPY=1", "REPEATS=1", "LATE=1", "CRASHES=1")},
	{name: "failures", what: "2 unanswered, pre-copy, gives up, 1 death, 1 late",
		config: config("FAILURES=2", "LATE=1", "CRASHES=1", "GIVES_UP=1", "PRECOPY=1", "WRITERS=1")},
	{name: "two-late", what: "1 writer x 2, 2+1 commands, 2 deaths, 2 late",
		config: config("A_COMMANDS=2", "WRITERS=1", "WRITES=2", "LATE=2", "CRASHES=2")},
	{name: "cycles", what: "4+1 commands: there, back, there, back",
		config: config("A_COMMANDS=4")},
	{name: "beside", what: "the last command beside living older ones",
		config: config("BESIDE", "WRITERS=1", "LATE=1", "CRASHES=1")},
	{name: "beside-failures", what: "the same, 2 unanswered, gives up",
		config: config("BESIDE", "B_COMMANDS=0", "LATE=1", "FAILURES=2", "GIVES_UP=1", "PRECOPY=1")},
	{name: "reader", what: "reader x 2, 1 death, 1 late",
		config: config("READERS=1", "READS=2", "LATE=1", "CRASHES=1")},
	{name: "two-readers", what: "2 readers, 1 writer x 2",
		config: config("READERS=2", "WRITERS=1", "WRITES=2")},
	{name: "gc", what: "gc, 2+1 commands, 1 death, 1 late",
		config: config("A_COMMANDS=2", "GC=1", "LATE=1", "CRASHES=1")},
	{name: "gc-reader", size: quick, what: "gc, reader, 1 writer x 2, 2+1 commands",
		config: config("A_COMMANDS=2", "GC=1", "READERS=1", "WRITERS=1", "WRITES=2")},
	{name: "redirects", size: quick, what: "a request's redirects after the last command",
		config: config("A_COMMANDS=2", "VISITORS=1", "WRITERS=1", "LATE=1", "CRASHES=1")},
	{name: "corrupt", what: "a batch stored wrongly, 2 batches, 1 late",
		config: config("CORRUPT=1", "REPEATS=1", "LATE=1", "BATCHES=2")},
	{name: "vacuum", what: "writes may drop the stamp (safety)", only: safety,
		config: config("A_COMMANDS=2", "VACUUM=1", "CRASHES=1", "LATE=1")},
	{name: "no-stamp", what: "no stamps at all: every ABA (safety)", only: safety,
		config: config("A_COMMANDS=2", "NO_STAMP=1", "LATE=1", "CRASHES=1")},
	{name: "deleted", what: "somebody deletes the fenced file once (LOSS)", only: []string{"LOSS"},
		config: config("A_COMMANDS=2", "DELETES=1", "LATE=1", "CRASHES=1")},
	{name: "deleted-created", what: "and routers create it again, unasked (KEPT)", only: []string{"KEPT"},
		config: config("A_COMMANDS=2", "DELETES=1", "CREATES=1", "CREATE_NO_ASK=1", "LATE=1", "CRASHES=1")},
	{
		name:   "deleted-asked",
		what:   "routers ask the object before they create it",
		only:   []string{"LOSS", "KEPT"},
		config: config("A_COMMANDS=2", "DELETES=1", "CREATES=1", "LATE=1", "CRASHES=1"),
	},
	{name: "deleted-early", what: "the file is deleted under a migrate (LOSS)", only: []string{"LOSS"},
		config: config(
			"A_COMMANDS=2",
			"DELETES=1",
			"EARLY=1",
			"CREATES=1",
			"LATE=1",
			"CRASHES=1",
			"WRITERS=1",
			"WRITES=2",
		)},
	{name: "restored", what: "the object is set back after a rollback (LOSS)", only: []string{"LOSS"},
		config: config("A_COMMANDS=2", "RESTORES=1", "WRITERS=1", "WRITES=2", "LATE=1", "CRASHES=1")},
	{name: "backup", what: "the file is set back while the object serves (KEPT)", only: []string{"KEPT"},
		config: config("A_COMMANDS=2", "BACKUPS=1", "WRITERS=1", "WRITES=2", "LATE=1", "CRASHES=1")},
	{name: "backup-return", what: "the same with composite requests back (KEPT)", only: []string{"KEPT"},
		config: config(with(returns, "BACKUPS=1", "LATE=1", "CRASHES=1", "FAILURES=1")...)},
	{name: "backup-gc", what: "the same with gc and a reader (KEPT)", only: []string{"KEPT"},
		config: config(with(oneEach, "GC=1", "BACKUPS=1", "CRASHES=1")...)},
	{name: "unconditional", what: "an old path without conditions, 2+1 commands, 1 death, 1 late",
		config: config(with(unconditional, "A_COMMANDS=2", "LATE=1", "CRASHES=1")...)},
	{name: "unconditional-writes", what: "the same, 2 writes each, 1+1 commands",
		config: config(with(unconditionalTwice, "LATE=1", "CRASHES=1")...)},
	{name: "unconditional-cycles", what: "there, back, there, back of one operator",
		config: config(with(unconditionalTwice, "A_COMMANDS=3", "B_COMMANDS=0", "LATE=1", "CRASHES=1")...)},
	{name: "unconditional-failures", what: "beside a living older one, 1 unanswered, gives up",
		config: config(
			with(unconditional, "BESIDE", "B_COMMANDS=0", "LATE=1", "FAILURES=1", "GIVES_UP=1")...)},
	{
		name:   "unconditional-early",
		what:   "not waited for: nothing is lost silently (LOSS)",
		only:   []string{"LOSS"},
		config: config(unawaited...),
	},

	{name: "composites", what: "a composite goes on alone, 1 writer x 2, 1 death, 1 late",
		config: config(with(composites, "WRITES=2", "LATE=1", "CRASHES=1")...)},
	{name: "composites-two", what: "two of them, one after the other",
		config: config("COMPOSITES=2", "WRITERS=1", "PRECOPY=1")},
	{name: "composites-beside", size: quick, what: "beside living older ones, 1 unanswered, gives up",
		config: config(with(composites, "BESIDE", "B_COMMANDS=0", "FAILURES=1", "GIVES_UP=1")...)},

	{name: "return", what: "composite requests back, 1 writer x 2, 1 death, 1 late",
		config: config(with(returns, "WRITES=2", "LATE=1", "CRASHES=1")...)},
	{name: "return-two", size: quick, what: "2 operators, 1 death, 1 late",
		config: config(with(oneEach, "RETURNS=1", "LATE=1", "CRASHES=1")...)},
	{name: "return-repeated", what: "2 executions side by side, 1 death, 1 late",
		config: config(with(returns, "REPEATS=1", "LATE=1", "CRASHES=1")...)},
	{name: "return-failures", what: "2 unanswered, gives up, 1 death, 1 late",
		config: config(with(returns, "FAILURES=2", "GIVES_UP=1", "LATE=1", "CRASHES=1")...)},
	{name: "return-cycles", what: "there, back, there, back of one operator, 1 unanswered, 1 death, 1 late",
		config: config(
			"RETURNS=1",
			"A_COMMANDS=4",
			"B_COMMANDS=0",
			"WRITERS=1",
			"WRITES=2",
			"FAILURES=1",
			"LATE=1",
			"CRASHES=1",
		)},
	{name: "return-beside", what: "the last command beside a living older one, 1 unanswered, 1 late",
		config: config(with(returns, "BESIDE", "LATE=1", "FAILURES=1")...)},
	{name: "return-reader", what: "and a reader, 1 death, 1 late",
		config: config(with(returns, "READERS=1", "LATE=1", "CRASHES=1")...)},

	{name: "births", what: "2 births, 1+1 commands, 1 death, 1 late",
		config: config(with(birthsDie, "BIRTHS=2")...)},
	{name: "births-two", size: quick, what: "1 birth, 2+1 commands, 1 death, 1 late",
		config: config(with(birthsDie, "A_COMMANDS=2")...)},
	{name: "births-writes", what: "1 birth, 1 writer x 2, 2 operators, 1 death, 1 late",
		config: config("BIRTHS=1", "WRITERS=1", "WRITES=2", "LATE=1", "CRASHES=1")},
	{name: "births-deaths", what: "2 births, 2 deaths, 2 late",
		config: config(with(births, "BIRTHS=2", "LATE=2", "CRASHES=2")...)},
	{name: "births-failures", what: "1 birth, 2 unanswered, gives up, pre-copy, 1 late",
		config: config(with(births, "FAILURES=2", "GIVES_UP=1", "PRECOPY=1", "LATE=1")...)},
	{name: "births-repeated", what: "2 births, messages arrive twice",
		config: config(with(births, "BIRTHS=2", "REPEATS=1", "LATE=1")...)},
	{name: "births-beside", what: "1 birth beside a living older command, 1 death, 1 late",
		config: config(with(birthsDie, "BESIDE")...)},
	{name: "births-reader", what: "1 birth, a reader x 2, 1 death, 1 late",
		config: config(with(birthsDie, "READERS=1", "READS=2")...)},
	{name: "births-gc", what: "1 birth, gc, 2+1 commands",
		config: config(with(births, "GC=1", "A_COMMANDS=2")...)},
	{name: "births-return", what: "1 birth, composite requests back, 2+1 commands",
		config: config(with(births, "RETURNS=1", "A_COMMANDS=2")...)},

	{name: "split", size: quick, what: "split and merge, 1 hot and 1 cold write, 1 death, 1 late",
		config: config("SPLIT_MODE=1", "LATE=1", "CRASHES=1")},
	{name: "split-two", what: "2+1 commands",
		config: config("SPLIT_MODE=1", "A_COMMANDS=2", "LATE=1", "CRASHES=1")},
	{name: "split-cycles", what: "4 commands, 1 cold write, 3 deaths, 2 late",
		config: config(
			"SPLIT_MODE=1",
			"A_COMMANDS=4",
			"B_COMMANDS=0",
			"HOT_WRITES=0",
			"LATE=2",
			"CRASHES=3",
		)},
	{name: "split-writes", what: "2+1 commands, 2 cold writes, pre-copy",
		config: config("SPLIT_MODE=1", "A_COMMANDS=2", "COLD_WRITES=2", "PRECOPY=1", "LATE=1", "CRASHES=1")},
	{name: "split-failures", what: "2 unanswered, gives up, 1 death, 1 late",
		config: config("SPLIT_MODE=1", "FAILURES=2", "GIVES_UP=1", "LATE=1", "CRASHES=1")},
	{name: "split-repeated", what: "2+1 commands, pre-copy, messages arrive twice",
		config: config(
			"SPLIT_MODE=1",
			"A_COMMANDS=2",
			"PRECOPY=1",
			"HOT_WRITES=0",
			"REPEATS=1",
			"LATE=1",
			"CRASHES=1",
		)},
	{name: "split-beside", what: "beside living older ones, 1 unanswered, gives up",
		config: config("SPLIT_MODE=1", "BESIDE", "HOT_WRITES=0", "LATE=1", "FAILURES=1", "GIVES_UP=1")},
	{name: "split-vacuum", what: "2+1 commands, 1 cold write, 2 VACUUMs",
		config: config("SPLIT_MODE=1", "A_COMMANDS=2", "HOT_WRITES=0", "VACUUMS=2", "LATE=1", "CRASHES=1")},
	{name: "split-vacuum-beside", what: "2 commands beside the last one, 1 VACUUM",
		config: config(
			"SPLIT_MODE=1",
			"BESIDE",
			"A_COMMANDS=2",
			"B_COMMANDS=0",
			"HOT_WRITES=0",
			"VACUUMS=1",
			"LATE=1",
			"FAILURES=1",
		)},
	{name: "split-full-mode", what: "2+1 commands: migrate, split, rollback",
		config: config("SPLIT_MODE=1", "FULL_TOO=1", "A_COMMANDS=2", "HOT_WRITES=0", "LATE=1", "CRASHES=1")},
	{name: "split-reader", what: "a reader of cold rows and of both parts, 1 death",
		config: config(
			"SPLIT_MODE=1",
			"A_COMMANDS=2",
			"B_COMMANDS=0",
			"READERS=1",
			"HOT_WRITES=0",
			"LATE=1",
			"CRASHES=1",
		)},
	{name: "split-reader-writes", what: "the same, 3 commands, a hot write",
		config: config("SPLIT_MODE=1", "A_COMMANDS=3", "B_COMMANDS=0", "READERS=1")},

	{name: "writes-full", what: "2 writers x 2, 2+1 commands, pre-copy", size: full,
		config: config("A_COMMANDS=2", "WRITES=2", "LATE=1", "CRASHES=1", "PRECOPY=1")},
	{name: "two-deaths-full", what: "2 writers x 2, 2+1 commands, 2 deaths, 1 late", size: full,
		config: config("A_COMMANDS=2", "WRITES=2", "LATE=1", "CRASHES=2")},
	{name: "repeated-full", what: "2+1 commands, pre-copy, 2 batches, repeated", size: full,
		config: config("A_COMMANDS=2", "BATCHES=2", "PRECOPY=1", "REPEATS=1", "LATE=1", "CRASHES=1")},
	{name: "failures-full", what: "the same with 2 writers", size: full,
		config: config("FAILURES=2", "LATE=1", "CRASHES=1", "GIVES_UP=1", "PRECOPY=1")},
	{name: "cycles-full", what: "4 commands of one operator, 1 death, 1 late", size: full,
		config: config("A_COMMANDS=4", "B_COMMANDS=0", "LATE=1", "CRASHES=1")},
	{name: "beside-full", what: "2 writers, 1 death, 1 late", size: full,
		config: config("BESIDE", "LATE=1", "CRASHES=1")},
	{name: "reader-full", what: "reader x 2, 2+1 commands, 1 writer x 2, 1 death, 1 late", size: full,
		config: config(
			"A_COMMANDS=2",
			"READERS=1",
			"READS=2",
			"WRITERS=1",
			"WRITES=2",
			"LATE=1",
			"CRASHES=1",
		)},
	{name: "split-vacuum-full", what: "living older commands, gives up, 2 VACUUMs", size: full,
		config: config(
			"SPLIT_MODE=1",
			"BESIDE",
			"HOT_WRITES=0",
			"VACUUMS=2",
			"LATE=1",
			"FAILURES=1",
			"GIVES_UP=1",
		)},
	{name: "corrupt-full", what: "2+1 commands", size: full,
		config: config("A_COMMANDS=2", "CORRUPT=1", "REPEATS=1", "LATE=1", "BATCHES=2")},
}

// selectSearches are the searches and the mutations of a run. A quick one has the mutations that the smallest
// world shows.
func selectSearches(of size) (clean, broken []search) {
	for _, s := range searches {
		if s.size <= of {
			clean = append(clean, s)
		}
	}
	for _, m := range mutations {
		if of > quick || slices.Equal(m.config[1:], oneEach) || slices.Equal(m.config[1:], splits) {
			broken = append(broken, m)
		}
	}
	return clean, broken
}
