package faults

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/docpage"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
)

var doc = flag.String("doc", "", "page in which to rewrite the section service-down")

// outagesPage promises what each command does when a service is down.
const outagesPage = "../../docs/outages.md"

// outages are the rows of a command: each is down from the command's first request to its last.
var outages = []struct {
	name string
	has  func(faultproxy.Request) bool
	who  string // in the table of refusals
	of   func(tried) bool
}{
	{
		"R2",
		func(r faultproxy.Request) bool { return strings.HasPrefix(r.Name(), bucket) },
		bucket,
		anyCommand,
	},
	{
		"Cloudflare API",
		func(r faultproxy.Request) bool { return strings.HasPrefix(r.Name(), flags) },
		flags,
		anyCommand,
	},
	{"Cloudflare API, writes only", isFlagWrite, flags, writesFlags},
	{
		"Worker",
		func(r faultproxy.Request) bool { return strings.HasPrefix(r.Name(), worker) },
		worker,
		anyCommand,
	},
	{"Durable Objects", isObject, worker, asksObjects},
}

func anyCommand(tried) bool { return true }

// writesFlags says whether the command ends with a flag of the user.
func writesFlags(c tried) bool {
	return c.changes &&
		slices.Contains([]string{"migrate", "rollback", "restore", "forget"}, strings.Fields(c.command)[0]) &&
		!strings.Contains(c.command, "--rehearse")
}

// asksObjects says whether the command asks users' Durable Objects.
func asksObjects(c tried) bool {
	return c.changes || strings.HasSuffix(c.command, " USER") && !strings.HasPrefix(c.command, "history ") ||
		strings.Contains(c.command, "USER -") || c.command == "verify --all --prefix PREFIX" ||
		c.command == "status --all --prefix PREFIX" || c.command == "selftest"
}

// isObject is a request that the Worker passes on to a user's Durable Object: the Worker itself answers.
func isObject(r faultproxy.Request) bool {
	return strings.HasPrefix(r.Name(), worker) && r.Name() != worker+" hello"
}

func isFlagWrite(r faultproxy.Request) bool {
	return r.Name() == "KV PUT bulk" || r.Name() == "KV POST delete"
}

// downs are the columns: the ways in which a service is down.
var downs = []struct {
	name  string
	fault func(who string) faultproxy.Fault
}{
	{"no connection", always(faultproxy.Fault{Swallow: true})},
	{"401 or 403", func(who string) faultproxy.Fault { return expired[who] }},
	{"429", always(waitASecond(429))},
	{"5xx", always(answers(503))},
}

// tried is a command of the table. USER stands for a user and PREFIX for the beginning of that user's name,
// which nobody else's has.
type tried struct {
	command string
	before  string // what was done to the user: "migrate" or nothing
	changes bool   // the command may change something, so that each cell has a user of its own
	wrote   bool   // the user has written since
	// alone says that the command leaves both sides with the user, by intent: the router has to be told
	// (docs/runbook.md).
	alone bool
	// gone says that the user is not to be served afterwards.
	gone bool
}

var tabled = []tried{
	{command: "scan --prefix PREFIX"},
	{command: "scan --deep --prefix PREFIX"},
	{command: "migrate USER", changes: true},
	{command: "migrate --all --prefix PREFIX", changes: true},
	{command: "verify USER", before: "migrate"},
	{command: "verify --all --prefix PREFIX", before: "migrate"},
	{command: "status --prefix PREFIX", before: "migrate"},
	{command: "status USER", before: "migrate"},
	{command: "status --all --prefix PREFIX", before: "migrate"},
	{command: "rollback USER", before: "migrate", changes: true, wrote: true},
	{command: "rollback --all --prefix PREFIX", before: "migrate", changes: true},
	{command: "rollback --since 1d --prefix PREFIX", before: "migrate", changes: true},
	{command: "rollback --run RUN --prefix PREFIX", before: "migrate", changes: true},
	{command: "rollback USER --dry-run", before: "migrate"},
	{command: "rollback USER --rehearse", before: "migrate", changes: true},
	{
		command: "rollback USER --discard-writes --store-unreachable --confirm WORDS",
		before:  "migrate",
		changes: true,
		alone:   true,
	},
	{command: "gc USER", before: "migrate"},
	{command: "gc USER --older-than 0s --confirm PLAN", before: "migrate", changes: true},
	{command: "forget USER --dry-run", before: "migrate"},
	{command: "forget USER --confirm DELETION", before: "migrate", changes: true, gone: true},
	{command: "thaw USER --policy POLICY --where WHERE"},
	{command: "runs --limit 1"},
	{command: "history USER", before: "migrate"},
	{command: "doctor"},
	{command: "migrate USER --dry-run"},
	{command: "migrate USER --mode split --policy SPLITS", changes: true},
	{command: "rollback USER --discard-writes --confirm WORDS", before: "migrate", changes: true},
	{command: "rollback --to-percent 0 --prefix PREFIX", before: "migrate", changes: true},
	{command: "rollback USER --end-foreign-marks", before: "migrate"},
	{command: "gc USER --explain", before: "migrate"},
	{command: "gc USER --older-than 0s --mark", before: "migrate", changes: true},
	{command: "gc --free-marked", before: "migrate", changes: true},
	{command: "gc --unmark NAME", before: "migrate", changes: true},
	{command: "thaw USER --policy POLICY --requested"},
	{command: "scan --history-r2 --prefix PREFIX"},
	{command: "doctor --probe-writes"},
	{command: "backup USER --to FOLDER", before: "migrate"},
	{command: "restore USER --from FILE --dry-run", before: "migrate"},
	{command: "restore USER --from FILE --confirm REPLACE", before: "migrate", changes: true},
	// It first takes away what an earlier one left, so all of these end before its first probe.
	{command: "selftest"},
}

// shown is the command as the page names it.
func (c tried) shown() string {
	text, _, _ := strings.Cut(c.command, " --prefix PREFIX")
	return strings.NewReplacer("--older-than 0s ", "", "--limit 1", "", "SPLITS", "POLICY", "REPLACE", "WORDS").Replace(text)
}

// outage is one command with one service down in one way.
type outage struct {
	tried
	service, down int
	user          *harness.User
	plan          string
	got           string
	failed        error
}

func (c *outage) name() string { return strings.TrimSpace(c.shown()) }

func (c *outage) row() string { return rowOf(c.name(), outages[c.service].name) }

// rowOf names the cells of a command with a service down.
func rowOf(command, service string) string { return command + " without " + service }

// TestEveryCellOfServiceDown holds docs/outages.md against the program: each command runs with each service
// down in each way, and does what the page says. Whatever it says, no user is left without service unsaid,
// and no acknowledged write is lost.
func TestEveryCellOfServiceDown(t *testing.T) {
	t.Parallel()
	cells := effort.Some(t, "cells of the table", allCells(), 24)
	run := prepareCells(t, cells)
	slots := make(chan struct{}, 24) // nearly all of them wait for their next attempt
	var all sync.WaitGroup
	for _, c := range cells {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			c.got, c.failed = c.try(t.TempDir(), run)
		})
	}
	all.Wait()
	promised, page := readCells(t), *doc
	if !effort.Whole(t) {
		page = ""
	}
	for _, c := range cells {
		what := fmt.Sprintf("%s with %s down (%s)", c.command, outages[c.service].name, downs[c.down].name)
		if c.failed != nil {
			t.Errorf("%s: %v", what, c.failed)
		}
		if want := promised[c.row()]; page == "" && (len(want) != len(downs) || want[c.down] != c.got) {
			t.Errorf("%s: %q, and %s says %q", what, c.got, filepath.Base(outagesPage), want)
		}
	}
	if rows := len(allCells()) / len(downs); len(promised) != rows && page == "" {
		t.Errorf("the page has %d rows, and there are %d", len(promised), rows)
	}
	if page != "" && !t.Failed() {
		if err := docpage.Replace(page, "service-down", markdown(cells)); err != nil {
			t.Error(err)
		}
	}
}

func allCells() []*outage {
	var cells []*outage
	for _, c := range tabled {
		for service := range outages {
			if !outages[service].of(c) {
				continue
			}
			for down := range downs {
				cells = append(cells, &outage{tried: c, service: service, down: down})
			}
		}
	}
	return cells
}

// prepareCells gives each cell a user in the state that its command wants, and returns the run that migrated
// them. Commands that only read share a user.
func prepareCells(t *testing.T, cells []*outage) (run string) {
	t.Helper()
	shared, move := map[string]*harness.User{}, []string{}
	var wrote []*harness.User
	for n, c := range cells {
		name := fmt.Sprintf("down%d-%03d-user", userNumber.Add(1), n)
		if !c.changes {
			if c.user = shared[c.before]; c.user != nil {
				continue
			}
		}
		u, err := harness.NewUser(cloud, name, image)
		if err != nil {
			t.Fatal(err)
		}
		c.user = u
		if !c.changes {
			shared[c.before] = u
		}
		if c.before != "" {
			move = append(move, u.Name)
		}
		if c.wrote {
			wrote = append(wrote, u)
		}
	}
	if len(move) == 0 {
		return "" // a part of the table may hold commands for users in R2 only
	}
	f := must(t, newOperator(t), 0, append([]string{"migrate"}, move...)...)
	for _, u := range wrote {
		mustWrite(t, u)
	}
	return f.Summary.Run
}

// try runs the cell's command and describes what it did.
func (c *outage) try(home, run string) (string, error) {
	op, err := harness.NewOperator(cloud, binary, home)
	if err != nil {
		return "", err
	}
	defer op.Close()
	if c.freesAlone() {
		marked.Lock()
		defer marked.Unlock()
	}
	args, err := c.args(op, home, run)
	if err != nil {
		return "", err
	}
	service, fault := outages[c.service], downs[c.down].fault(outages[c.service].who)
	op.Proxy.LeaveAlone() // the service is down for reports, too
	op.Proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
		if service.has(r) {
			return fault
		}
		return faultproxy.Fault{}
	})
	f, err := op.Run(args...)
	op.Proxy.Reset(nil)
	if err != nil {
		return "", err
	}
	if plan := c.plan; plan != "" && c.freesAlone() {
		if _, err := op.Must(0, "gc", "--unmark", plan); err != nil {
			return "", err
		}
	}
	text, open, err := describe(f)
	if err != nil || !c.changes || c.alone || hasOtherRows(text) || c.gone && strings.Contains(text, "forgotten") {
		return text, err
	}
	now, err := op.States(c.user.Name)
	if err != nil {
		return text, err
	}
	if s := now[c.user.Name]; s.Serves == "none" && !open {
		return text, fmt.Errorf("nobody takes writes, unsaid: %v", f)
	}
	return text, stillServed(c.user, now[c.user.Name].Serves)
}

// plans are made before a command that is about a plan, while all services are there.
var plans = map[string]string{
	"PLAN":      "--older-than 0s",
	"NAME":      "--older-than 0s --mark",
	freesMarked: "--older-than 0s --mark --hold 0s",
}

// freesMarked frees the plans of everybody. Where it gets as far as that, one cell at a time has one.
const freesMarked = "--free-marked"

var marked sync.Mutex

func (c *outage) freesAlone() bool {
	return strings.Contains(c.command, freesMarked) &&
		slices.Contains([]string{"Durable Objects", "Cloudflare API"}, outages[c.service].name)
}

// hasOtherRows says whether the user has, by intent, other rows than before, or not all of them in the file.
func hasOtherRows(text string) bool {
	return strings.HasSuffix(text, "split") || strings.HasSuffix(text, "replaced")
}

func (c *outage) args(op *harness.Operator, home, run string) ([]string, error) {
	file := filepath.Join(home, "from.sqlite")
	if err := os.WriteFile(file, image, 0o600); err != nil {
		return nil, err
	}
	policy, splits := filepath.Join(home, "cold.toml"), filepath.Join(home, "splits.toml")
	for path, where := range map[string]string{policy: "n < 0", splits: "n >= 0"} {
		if err := os.WriteFile(path, []byte("[tables.entries]\nwhere = \""+where+"\"\n"), 0o600); err != nil {
			return nil, err
		}
	}
	words := map[string]string{
		"USER":    c.user.Name,
		"PREFIX":  c.user.Name[:len(c.user.Name)-len("user")],
		"RUN":     run,
		"POLICY":  policy,
		"SPLITS":  splits,
		"FOLDER":  filepath.Join(home, "copies"),
		"FILE":    file,
		"REPLACE": "replace the database of " + c.user.Name,
		"WORDS":   "discard the writes of " + c.user.Name,
		// of a deletion
		"DELETION": "delete everything of " + c.user.Name,
		"WHERE":    "entries: n < 0",
	}
	for word, command := range plans {
		if !strings.Contains(c.command, word) || word == freesMarked && !c.freesAlone() {
			continue
		}
		plan, err := op.Must(0, append([]string{"gc", c.user.Name}, strings.Fields(command)...)...)
		if err != nil {
			return nil, err
		}
		words[word], c.plan = plan.Summary.Plan, plan.Summary.Plan
	}
	args := strings.Fields(c.command)
	for i, a := range args {
		if word, ok := words[a]; ok && !strings.HasPrefix(a, "--") {
			args[i] = word
		}
	}
	return args, nil
}

// said is what any line of any command may say.
type said struct {
	User, Outcome, ServedBy, Plan, Check, Run string
	OK                                        *bool
	Open, FlagLeft                            bool
	Error                                     *struct{ Kind string }
	Summary                                   *struct{ FlagsUnread bool }
}

// describe is a finished command in a few words: the exit code, what became of the user, and what is left.
func describe(f harness.Finished) (text string, open bool, err error) {
	words := map[string]bool{}
	lines := json.NewDecoder(strings.NewReader(f.Stdout + wholeError(f.Stderr)))
	for lines.More() {
		var l said
		if err := lines.Decode(&l); err != nil {
			return "", false, fmt.Errorf("%w: %v", err, f)
		}
		open = open || l.Open
		for _, word := range l.words() {
			words[word] = true
		}
	}
	if len(words) == 0 {
		words["done"] = true
	}
	return fmt.Sprintf("%d: %s", f.Exit, strings.Join(slices.Sorted(maps.Keys(words)), ", ")), open, nil
}

// wholeError is the line of stderr with which a command ends that could not go on.
func wholeError(stderr string) string {
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, `{"error":`) {
			return line
		}
	}
	return ""
}

func (l said) words() []string {
	var words []string
	switch {
	case l.Summary != nil && l.Summary.FlagsUnread:
		words = append(words, "flags unread")
	case l.Check != "" && l.OK != nil && !*l.OK:
		words = append(words, l.Check+" fails")
	case l.FlagLeft:
		words = append(words, l.Outcome, "flag left")
	case l.User == "" && l.Error != nil:
		words = append(words, "nothing begun ("+l.Error.Kind+")")
	case l.Error != nil:
		words = append(words, "failed ("+l.Error.Kind+")")
	case l.User != "":
		for _, word := range []string{l.Outcome, l.ServedBy, l.Plan} {
			if word != "" {
				words = append(words, word)
				break
			}
		}
	}
	if l.Open {
		words = append(words, "writes wait")
	}
	return words
}

// markdown is the table. Commands that do the same stand in one row.
func markdown(cells []*outage) string {
	var b strings.Builder
	b.WriteString("| command | down |")
	for _, d := range downs {
		b.WriteString(" " + d.name + " |")
	}
	b.WriteString("\n|---|---|" + strings.Repeat("---|", len(downs)))
	var order []string
	commands := map[string][]string{}
	for row := range slices.Chunk(cells, len(downs)) {
		does := outages[row[0].service].name + " |"
		for _, c := range row {
			does += " " + c.got + " |"
		}
		if commands[does] == nil {
			order = append(order, does)
		}
		commands[does] = append(commands[does], "`"+row[0].name()+"`")
	}
	for _, does := range order {
		b.WriteString("\n| " + strings.Join(commands[does], ", ") + " | " + does)
	}
	return b.String()
}

var codeSpan = regexp.MustCompile("`([^`]+)`")

// readCells reads the page's table: the cells of each row, by command and service.
func readCells(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile(outagesPage)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "<!-- proof:service-down -->")
	section, _, _ := strings.Cut(rest, "<!-- end -->")
	rows := map[string][]string{}
	for line := range strings.Lines(section) {
		parts := strings.Split(strings.TrimSpace(line), " | ")
		if len(parts) != len(downs)+2 || !strings.HasPrefix(line, "| `") {
			continue
		}
		parts[len(parts)-1] = strings.TrimSuffix(parts[len(parts)-1], " |")
		for _, command := range codeSpan.FindAllStringSubmatch(parts[0], -1) {
			rows[rowOf(command[1], parts[1])] = parts[2:]
		}
	}
	return rows
}
