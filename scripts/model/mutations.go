package main

// mutate removes one check of docs/cutover/model/checks.pml and names the property that has to break. Its
// configuration is the smallest that shows it.
func mutate(check, what, breaks string, definitions ...string) search {
	return search{
		name:   check,
		what:   what,
		breaks: breaks,
		config: append([]string{check + "=1"}, definitions...),
	}
}

// The configurations in which mutations are searched. WRITERS=1 is one application write.
var (
	oneEach = []string{"WRITERS=1"}
	two     = append([]string{"A_COMMANDS=2"}, oneEach...)
	three   = append([]string{"A_COMMANDS=3"}, oneEach...)
	dies    = append([]string{"LATE=1", "CRASHES=1"}, oneEach...)
	twoDie  = append([]string{"A_COMMANDS=2"}, dies...)
	repeats = append([]string{"LATE=1", "REPEATS=1"}, oneEach...)
	reader  = append([]string{"READERS=1"}, oneEach...)
	// A backend that saves unconditionally; unawaited commands do not wait for it, and are migrates of one
	// operator.
	unconditional      = []string{"UNCONDITIONAL=1", "WRITERS=0", "PRECOPY=1"}
	unconditionalTwice = []string{"UNCONDITIONAL=2", "WRITERS=0", "PRECOPY=1"}
	unawaited          = with(
		unconditional,
		"NO_WAIT=1",
		"NO_LAST_LOOK=1",
		"A_COMMANDS=2",
		"B_COMMANDS=0",
		"SCRIPT=MIGRATE_ONLY",
		"LATE=1",
		"CRASHES=1",
	)
	// A composite request with which the Worker goes on alone.
	composites = []string{"COMPOSITES=1", "WRITERS=1", "PRECOPY=1"}
	collects   = append([]string{"GC=1"}, two...)
	// The composite requests of the way back.
	returns = with(two, "B_COMMANDS=0", "RETURNS=1")
	// The user has no file at first, and begins in the object.
	births    = []string{"BIRTHS=1", "WRITERS=1", "B_COMMANDS=0"}
	birthsDie = with(births, "LATE=1", "CRASHES=1")

	// Split mode: one operator before the last command, and one write of a cold row.
	splits         = []string{"SPLIT_MODE=1", "HOT_WRITES=0", "B_COMMANDS=0"}
	splitDies      = with(splits, "LATE=1", "CRASHES=1")
	splitsTwoDie   = with(splitDies, "A_COMMANDS=2")
	splitsThreeDie = with(splits, "A_COMMANDS=3", "LATE=1", "CRASHES=2")
	splitVacuum    = []string{"SPLIT_MODE=1", "HOT_WRITES=0", "A_COMMANDS=2", "VACUUMS=1"}
	splitReader    = with(splits, "READERS=1")
)

func with(base []string, definitions ...string) []string {
	return append(append([]string{}, base...), definitions...)
}

// mutations each have to give a counterexample. The order is that of the table of checks in
// docs/cutover/README.md. A name with a plus drops a second line of defence together with the first: alone it
// breaks nothing.
var mutations = []search{
	mutate("NO_FENCE", "no fence", "LOSS", oneEach...),
	mutate("META_FENCE", "fence in the metadata only", "LOSS", oneEach...),
	mutate("FENCE_UNCOND", "fence PUT not conditional", "LOSS", oneEach...),
	mutate("NO_NONCE", "a constant marker", "LOSS", two...),
	mutate("NONCE_KEPT", "resume keeps the old nonce", "LOSS", two...),
	mutate("RESUME_NO_REFENCE", "resume does not fence again", "SPLIT", two...),
	mutate("FENCE_REUSED", "another claim's fence taken over", "SPLIT", two...),
	mutate("NO_STAMP", "no stamp on the unfenced file", "AVAIL", dies...),
	mutate("NO_STALE_MARK", "newer nonce or stamp not heeded", "SPLIT", two...),
	pair(
		"NO_STALE_STAMP",
		"FETCH_NOGEN",
		"newer stamp not heeded",
		"AVAIL",
		"A_COMMANDS=2",
		"WRITERS=0",
		"BESIDE",
	),
	mutate("ACTIVATE_FIRST", "activate before the fence", "SPLIT", oneEach...),
	mutate("NO_RECOPY", "no second copy of a changed file", "LOSS", with(oneEach, "PRECOPY=1")...),

	mutate("WRITE_IN_READY", "writes in READY", "LOSS", oneEach...),
	mutate("WRITE_IN_SEALED", "writes in SEALED", "LOSS", oneEach...),
	mutate("WRITE_IN_IMPORTING", "writes in IMPORTING", "LOSS", oneEach...),
	mutate("ACTIVATE_NOGEN", "activate without gen", "SPLIT", with(repeats, "A_COMMANDS=2")...),
	pair("ACTIVATE_NOINTENT", "ACTIVATE_NOGEN", "activate without intent", "LOSS", two...),
	pair("ROWS_NOPHASE", "ROWS_NODEDUP", "rows without phase", "LOSS", repeats...),
	pair("ROWS_NOGEN", "READY_NODIGEST", "rows without gen", "LOSS", with(dies, "ROWS_NODEDUP=1")...),
	mutate(
		"READY_NOGEN",
		"ready without gen",
		"FINISHES",
		"A_COMMANDS=2",
		"WRITERS=0",
		"LATE=1",
		"CRASHES=1",
		"PRECOPY=1",
	),
	mutate("READY_NOPHASE", "ready without phase", "AVAIL", repeats...),
	mutate("READY_NODIGEST", "digest not compared", "LOSS", with(oneEach, "CORRUPT=1")...),
	mutate("RESET_NOGEN", "reset without gen", "LOSS", twoDie...),
	mutate("RESET_NOPHASE", "reset without phase", "LOSS", repeats...),
	mutate("RELEASE_NOGEN", "release without gen", "LOSS", three...),
	mutate("CLAIM_NOCAS", "claim does not compare", "AVAIL", dies...),
	mutate("CLAIM_SEALED_NOBUMP", "claim on SEALED takes no number", "LOSS", two...),
	mutate("CLAIM_ACTIVE_NOBUMP", "claim on ACTIVE takes no number", "AVAIL", twoDie...),
	mutate("CLAIM_IMPORT_NOBUMP", "claim on IMPORTING takes no number", "FINISHES", dies...),
	mutate("CLAIM_ABORT_NOBUMP", "abort takes no number", "AVAIL", dies...),
	mutate("GEN_RESET", "wipe sets gen back", "AVAIL", two...),
	mutate(
		"WAKE_NO_LOOK",
		"no look at the mark when the object starts",
		"LOSS",
		with(oneEach, "RESTORES=1")...),
	mutate("WAKE_NO_LINEAGE", "... that compares the counter only", "LOSS", with(twoDie, "RESTORES=1")...),
	mutate("IMPORT_OVER_ACTIVE", "migrate imports over ACTIVE", "LOSS", oneEach...),
	mutate("IMPORT_OVER_SEALED", "migrate imports over SEALED", "LOSS", two...),

	mutate("ABORT_FILE_ONLY", "abort does not tell the object", "LOSS", oneEach...),
	mutate("LIFT_UNCOND", "lift not conditional", "LOSS", oneEach...),
	mutate("LIFT_FENCED_ONLY", "unfenced file not touched", "AVAIL", dies...),
	mutate("NO_SEAL", "no seal before the export", "SPLIT", oneEach...),
	mutate("EXPORT_UNCOND", "export PUT not conditional", "LOSS", two...),
	mutate("RELEASE_FIRST", "release before the export PUT", "LOSS", dies...),
	pair("CLAIM_AFTER_LOOK", "FOREIGN_TAKEN", "file looked at before the claim", "LOSS", two...),
	mutate("EXPORT_NOGEN", "export without gen (deleted file)", "LOSS", with(two, "DELETES=1")...),
	pair(
		"EXPORT_NOLIN",
		"FETCH_NOGEN",
		"export without lineage (VACUUM)",
		"LOSS",
		with(two, "CRASHES=1", "WRITES=2", "VACUUM=1")...),
	mutate(
		"KEPT_ANY",
		"any fenced file taken for the migrated one (a bucket set back)",
		"KEPT",
		with(oneEach, "BACKUPS=1", "LATE=1", "FAILURES=1")...),
	mutate(
		"EXPORT_NOOPEN",
		"an export from before the object was opened again (a bucket set back)",
		"KEPT",
		with(two, "BACKUPS=1")...),
	mutate(
		"FOREIGN_TAKEN",
		"a file that was set back taken for an export",
		"KEPT",
		with(oneEach, "BACKUPS=1")...),
	pair(
		"RESUME_NOLIN",
		"FETCH_NOGEN",
		"resume without lineage (VACUUM)",
		"LOSS",
		with(two, "CRASHES=1", "VACUUM=1")...),
	mutate("NO_RESET", "no reset before a second copy", "FINISHES", with(oneEach, "PRECOPY=1")...),
	mutate(
		"GIVEUP_CLAIM_ONLY",
		"failed migrate leaves the file alone",
		"AVAIL",
		"LATE=1",
		"CRASHES=1",
		"WRITERS=0",
		"FAILURES=1",
		"GIVES_UP=1",
	),
	mutate(
		"GIVEUP_FRESH_CLAIM",
		"failed migrate claims again",
		"AVAIL",
		"LATE=1",
		"WRITERS=0",
		"FAILURES=1",
		"BESIDE",
	),
	mutate(
		"NOTHING_NOSTAMP",
		"\"nothing to do\" without stamp = gen",
		"AVAIL",
		"LATE=1",
		"CRASHES=1",
		"WRITERS=0",
		"FAILURES=1",
	),
	pair(
		"FOREIGN_TAKEN",
		"CREATE_NO_ASK",
		"somebody's file taken for an export",
		"KEPT",
		with(two, "DELETES=1", "CREATES=1", "WRITES=2")...),
	mutate("ACTIVE_NOSTALE", "fence judged without a newer claim", "ALARM", "A_COMMANDS=2", "WRITERS=0"),
	mutate("SEAL_NOSTALE", "the same before a rollback's claim", "ALARM", "A_COMMANDS=3", "WRITERS=0"),

	mutate("RETURN_UNCOND", "return's PUT not conditional", "LOSS", with(returns, "FAILURES=1")...),
	mutate("RETURN_NOCOMPARE", "return does not compare the digest", "LOSS", returns...),

	mutate("GC_UNCOND", "tombstone PUT not conditional", "AUTH", collects...),
	mutate("GC_ANY_PHASE", "gc does not ask the object", "AUTH", with(oneEach, "GC=1")...),
	mutate("GC_DELETES", "gc deletes", "SPLIT", with(oneEach, "GC=1")...),
	mutate("KEPT_FROM_TOMBSTONE", "a tombstone taken for the kept file", "LOSS", collects...),

	mutate("ROUTER_SAVES", "router saves files beside an old path", "LOSS", unconditional...),
	mutate("NO_POISON", "old path's SQLite writes what is fenced", "LOSS", unconditional...),
	mutate("NO_WAIT", "old path not waited for", "SPLIT", unconditional...),
	mutate("NO_LAST_LOOK", "fence not looked at before the switch", "SPLIT", unconditional...),
	mutate("NO_SETTLE", "nor after it", "LOSS", unawaited...),

	mutate(
		"SWITCH_GOES_ON",
		"switch opens although its fence was refused",
		"SPLIT",
		with(composites, "B_COMMANDS=0")...),
	mutate(
		"SWITCH_ANY_FENCE",
		"switch takes any fence for its own",
		"LINEAGE",
		"COMPOSITES=1",
		"WRITERS=0",
		"PRECOPY=1",
		"A_COMMANDS=2",
		"B_COMMANDS=0",
		"SCRIPT=MIGRATE_ONLY",
		"LATE=1",
		"CRASHES=1",
	),
	mutate(
		"CLAIM_AGAIN_FRESH",
		"a claim after a failed import, with others in between",
		"AVAIL",
		"COMPOSITES=1", "PRECOPY=1", "WRITERS=1", "B_COMMANDS=0", "BESIDE"),
	mutate("WORKER_NO_FENCE", "router does not look at the fence", "LOSS", oneEach...),
	mutate("WORKER_UNCOND", "router's save not conditional", "LOSS", oneEach...),
	mutate(
		"CREATE_NO_ASK",
		"an absent file created without asking",
		"LOSS",
		with(two, "DELETES=1", "CREATES=1")...),
	mutate(
		"CREATE_EARLY",
		"... or created beside an import",
		"LOSS",
		with(oneEach, "DELETES=1", "EARLY=1", "CREATES=1")...),
	mutate("WORKER_NO_FALLBACK", "router stays with the object", "HOPS", "WRITERS=0", "VISITORS=1"),
	mutate("READ_NO_FILE_RECHECK", "no second look at the file", "READ", reader...),
	mutate("READ_NO_SEAL_RECHECK", "no second look under SEALED", "READ", reader...),
	mutate("READ_ANY_FENCE", "second look takes any lineage", "READ", with(reader, "A_COMMANDS=2")...),

	mutate("BIRTH_UNCOND", "a birth's fence PUT not conditional", "LOSS", births...),
	mutate("BIRTH_NO_FENCE", "a birth without a fence", "LOSS", births...),
	mutate("BIRTH_GOES_ON", "a birth goes on although its fence was refused", "SPLIT", births...),
	mutate(
		"BIRTH_NO_REFENCE",
		"another birth's fence taken for its own",
		"LINEAGE",
		with(birthsDie, "BIRTHS=2")...),
	mutate("BIRTH_ANY_FENCE", "any fence taken for one of a birth", "KEPT", birthsDie...),
	mutate("BIRTH_LEFT", "no router ends what a birth left open", "AVAIL", birthsDie...),

	mutate("NO_COLD_SEAL", "no seal before the merge", "LOSS", splits...),
	mutate("WRITE_IN_COLD_SEALED", "writes in COLD_SEALED", "LOSS", splits...),
	mutate("SPLIT_OVER_READY", "split imports over SPLIT_READY", "LOSS", splitDies...),
	mutate("RESET_NOLIN", "a repeated reset", "LOSS", with(splitDies, "REPEATS=1")...),
	mutate(
		"MERGE_NOGEN",
		"merge without gen",
		"LOSS",
		with(splits, "A_COMMANDS=4", "LATE=1", "CRASHES=2")...),

	mutate("READY_BEFORE_FENCE", "ready before the fence", "LOSS", with(splits, "PRECOPY=1")...),
	mutate("HOT_UNCOND", "hot file's PUT not conditional", "LOSS", "SPLIT_MODE=1", "HOT_WRITES=0"),
	mutate("COLD_BEFORE_HOT", "activate before the hot file's PUT", "LOSS", splitDies...),
	mutate("SPLIT_RESET_NOREFENCE", "reset of SPLIT_READY without a fence", "LOSS", splitDies...),
	mutate("COLD_NOCLAIM", "\"already split\" without a claim", "AVAIL", splitsTwoDie...),
	mutate("COLD_NOTOUCH", "unfenced hot file not touched", "AVAIL", splitsThreeDie...),
	mutate("GIVE_BACK_NOREFENCE", "MERGING given back without a fence", "LOSS", splitsTwoDie...),
	mutate("GIVE_BACK_LIFT_FIRST", "MERGING given back, file first", "LOSS", splitsThreeDie...),
	mutate("UNDO_NOREFENCE", "undo without a fence", "LOSS", splitDies...),
	mutate("UNDO_LIFT_FIRST", "undo lifts before the release", "TWICE", splitDies...),
	mutate(
		"UNDO_LIFT_UNKNOWN",
		"undo lifts after a release unanswered",
		"TWICE",
		with(splitsTwoDie, "FAILURES=1")...),
	mutate("NO_MERGE_MESSAGE", "merge not sent", "LOSS", splitsTwoDie...),
	mutate("MERGE_BEFORE_FENCE", "merge sent before the fence", "LOSS", splitsTwoDie...),
	mutate("FENCE_HOT_NOGEN", "hot file fenced without gen (VACUUM)", "TWICE", splitVacuum...),
	mutate("FETCH_NOGEN", "a file read again fenced without gen (VACUUM)", "ALARM", splitVacuum...),
	pair(
		"MERGED_NOTOUCH",
		"FETCH_NOGEN",
		"file of a finished merge not touched",
		"AVAIL",
		with(splitVacuum, "LATE=1", "CRASHES=1")...),
	mutate("MERGE_NOREFENCE", "merge takes another claim's fence", "LOSS", splitsThreeDie...),
	mutate("WHOLE_UNCOND", "whole file's PUT not conditional", "TWICE", splitsTwoDie...),
	mutate("LIFTS", "a fence lifted without the object", "TWICE", splits...),

	mutate(
		"SPLIT_READY_NO_LOOK",
		"SPLIT_READY's answer without a look",
		"READ",
		with(splitReader, "LATE=1", "CRASHES=1")...),
	mutate(
		"NO_SECOND_ASK",
		"... without a second question",
		"READ",
		with(splitReader, "LATE=1", "CRASHES=1")...),
	mutate("MERGING_NO_LOOK", "MERGING's answer without a look", "READ", splitReader...),
	mutate("NOT_SPLIT_NO_ASK", "\"not split\" without a second question", "READ", splitReader...),
	mutate("BOTH_NO_STATE", "queryBoth: states not compared", "READ", splitReader...),
	mutate(
		"BOTH_NO_COUNTER",
		"queryBoth: cold writes in between",
		"READ",
		with(splitReader, "HOT_WRITES=1")...),
}

// pair drops a second line of defence together with the check that it stands behind.
func pair(check, behind, what, breaks string, definitions ...string) search {
	s := mutate(check, what, breaks, with(definitions, behind+"=1")...)
	s.name += "+" + behind
	return s
}

// secondLines are checks that are kept although the model breaks nothing without them, and why.
var secondLines = map[string]string{
	"BIRTH_ANY_PHASE":   "beside an object with rows there is a file, and a birth begins where there is none; guards against a file that somebody deleted",
	"ACTIVATE_NOPHASE":  "the command that owns the claim sends activate only after ready; the check guards against a defect in the command",
	"RETURN_NOLOOK":     "the release carries the claim, and a command that changes the file has taken another; guards against a writer that knows no fence",
	"RELEASE_NOPHASE":   "only the owner of the claim sends release; the same",
	"RESET_NOINTENT":    "a claim number has one intent, and the number is compared; guards against a defect in a command",
	"RELEASE_NOINTENT":  "the same",
	"MERGE_NOINTENT":    "the same",
	"MERGING_NOREFENCE": "both PUTs would write what is frozen in both parts; with the fence the first one's cannot land",
	"ROWS_NODEDUP":      "the model's batches replace a key range; real ones insert, so a repeated batch would fail or double rows",
}
