package main

import (
	"bufio"
	"bytes"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rivo/uniseg"
	"golang.org/x/sys/unix"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/scanlog"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// seenAt runs the program with stdout and stderr at terminals of a width, and returns what they show.
func seenAt(t *testing.T, columns int, env []string, args ...string) (out, talk string) {
	t.Helper()
	cmd := exec.Command("dbmigrate", args...)
	cmd.Dir, cmd.Env = t.TempDir(), append(env, "TERM=xterm", "LANG=C.UTF-8")
	var texts [2]bytes.Buffer
	done := make(chan error, 2)
	for i := range texts {
		person, program := openTerminal(t)
		if err := unix.IoctlSetWinsize(int(program.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(columns), Row: 24}); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			cmd.Stdout = program
		} else {
			cmd.Stderr = program
		}
		defer program.Close()
		go func() {
			// Ends with an error when the program has closed its end.
			_, _ = io.Copy(&texts[i], person)
			done <- nil
		}()
	}
	err := cmd.Run()
	cmd.Stdout.(*os.File).Close()
	cmd.Stderr.(*os.File).Close()
	<-done
	<-done
	if err != nil {
		t.Fatalf("%q: %v: %s", args, err, &texts[1])
	}
	return texts[0].String(), texts[1].String()
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*[A-Za-z]")

// tooWide are the lines that the terminal would break.
func tooWide(text string, columns int) (wide []string) {
	for line := range strings.Lines(text) {
		line = strings.TrimRight(escapes.ReplaceAllString(line, ""), "\r\n")
		if uniseg.StringWidth(line) > columns {
			wide = append(wide, line)
		}
	}
	return wide
}

// fleetEnv is where the servers are, and this machine's state with the records of two runs.
func fleetEnv(t *testing.T, url string) []string {
	t.Helper()
	state := t.TempDir()
	for i, reason := range []string{"", "INC-4711: the nightly move of everybody who has grown over the threshold since"} {
		w, err := record.Create(filepath.Join(state, "dbmigrate", "runs"), record.Begin{
			Record: record.Version, Run: record.NewRun(time.Unix(1_795_665_600+int64(i), 0)), Action: "migrate", At: 1_795_665_600_000,
			Command: []string{"migrate", "--all"}, Who: record.Who{Name: "somebody@ci-runner-17", Via: "github-actions"},
			Reason: reason, Bucket: "users", Users: 40 * (i + 1),
		})
		if err != nil {
			t.Fatal(err)
		}
		w.End(time.Unix(1_795_665_700, 0), record.Summary{Outcomes: map[string]int{"migrated": 37, "failed": 2, "quarantined": 1}, Failed: 2})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return []string{
		"HOME=" + t.TempDir(), "XDG_STATE_HOME=" + state, "PATH=" + os.Getenv("PATH"), "PAGER=cat",
		"CLOUDFLARE_ACCOUNT_ID=acc", "CLOUDFLARE_API_TOKEN=t", "CLOUDFLARE_API_BASE_URL=" + url,
		"AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=key", "AWS_ENDPOINT_URL_S3=" + url, "DBMIGRATE_BUCKET=users",
		"DBMIGRATE_KV_NAMESPACE=ns", "DBMIGRATE_WORKER_URL=" + url, "DBMIGRATE_TOKEN=token-of-the-operator",
	}
}

// TestHelpFits: at terminals of 80, 100 and 140 columns no line of any help is broken by the terminal.
func TestHelpFits(t *testing.T) {
	names := []string{}
	for _, cmd := range newRoot(&app{}).Commands() {
		names = append(names, cmd.Name())
	}
	for _, columns := range []int{80, 100, 140} {
		for _, name := range append(names, "") {
			args := []string{"help", name}
			if name == "" {
				args = args[:1]
			}
			out, _ := seenAt(t, columns, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, args...)
			for _, line := range tooWide(out, columns) {
				t.Errorf("help %s at %d columns: %q", name, columns, line)
			}
			if len(out) < 100 {
				t.Errorf("help %s shows %q", name, out)
			}
		}
	}
}

// wholeRun is the id of a run, as a person copies it.
var wholeRun = regexp.MustCompile(`(?m)^\d{8}T\d{6}Z-[0-9a-f]{8}\b`)

// TestRemarksAndItemsStayTogether: a remark behind an example is no part of the command that a person copies,
// and an item that the help states in several lines is one text.
func TestRemarksAndItemsStayTogether(t *testing.T) {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	root, _ := seenAt(t, 80, env, "help")
	if strings.Contains(root, "\\\r\n") || !regexp.MustCompile(`(?m)^ {20,}# and so on`).MatchString(root) {
		t.Errorf("a remark is broken as a command:\n%s", root)
	}
	migrate, _ := seenAt(t, 80, env, "help", "migrate")
	if text := strings.Join(strings.Fields(migrate), " "); !strings.Contains(migrate, "(its data stays); the KV flags") ||
		!strings.Contains(text, "or unconditional. Before the first fence") {
		t.Errorf("an item is parted:\n%s", migrate)
	}
}

// TestListsFit: the same of tables. They draw bars and sparklines where the terminal can show them.
func TestListsFit(t *testing.T) {
	files, flags := httptest.NewServer(&largeFleet{users: 40, calls: map[string]int{}}), httptest.NewServer(&bigFleet{users: 40})
	defer files.Close()
	defer flags.Close()
	for _, columns := range []int{80, 100, 140} {
		for name, list := range map[string]struct {
			url, flag   string
			drawn, said string // at 100 columns and more, and always
		}{
			"scan":   {files.URL, "--history=" + remembered(t, files.URL), "█", "▄██"},
			"runs":   {files.URL, "--limit=9", "█", "▅█"},
			"status": {flags.URL, "--top=9", "user-", "50 % █"},
		} {
			env := fleetEnv(t, list.url)
			out, talk := seenAt(t, columns, env, name, list.flag)
			for _, line := range tooWide(out+talk, columns) {
				t.Errorf("%s at %d columns: %q", name, columns, line)
			}
			if !wholeRun.MatchString(out) && name == "runs" {
				t.Errorf("at %d columns no id of a run can be copied:\n%s", columns, out)
			}
			if !strings.Contains(out, list.drawn) && columns >= 100 || !strings.Contains(talk, list.said) {
				t.Errorf("%s at %d columns draws nothing:\n%s\n%s", name, columns, out, talk)
			}
			plain, talk := seenAt(t, columns, append(env, "LC_ALL=C"), name, list.flag)
			if strings.ContainsAny(plain+talk, "▅▇█") {
				t.Errorf("%s draws where nothing can be shown", name)
			}
		}
	}
}

// remembered is a history with two scans of the last weeks.
func remembered(t *testing.T, url string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "history.sqlite")
	h, err := scanlog.Open(t.Context(), file, scanlog.Scope{Endpoint: url, Bucket: "users", Layout: userdb.DefaultLayout})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, weeks := range []int{2, 1} {
		scan := scanlog.Scan{Run: strconv.Itoa(weeks), At: time.Now().Add(-time.Duration(weeks) * 7 * units.Day)}
		sizes := scanlog.SizesOf(map[string]int64{"user-000001": 800_000 / int64(weeks)})
		if err := h.Record(t.Context(), scan, sizes); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

// TestPager: what is longer than the screen goes to the person's pager, and a short list does not.
func TestPager(t *testing.T) {
	server := httptest.NewServer(&largeFleet{users: 40, calls: map[string]int{}})
	defer server.Close()
	pager := filepath.Join(t.TempDir(), "pager")
	if err := os.WriteFile(pager, []byte("#!/bin/sh\necho PAGED\nhead -3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	env := append(fleetEnv(t, server.URL), "PAGER="+pager)
	if out, talk := seenAt(t, 100, env, "scan"); !strings.HasPrefix(out, "PAGED") || !strings.Contains(talk, "scan: 40 users") {
		t.Errorf("%s\n%s", out, talk)
	}
	out, talk := seenAt(t, 100, env, "scan", "--top", "5")
	if strings.Contains(out, "PAGED") || strings.Count(out, "user-") != 5 || !strings.Contains(talk, "35 users more") {
		t.Errorf("%s\n%s", out, talk)
	}
}

// TestNothingIsDrawnOverThePager: a person who reads for two seconds reads the list, and no "still at work".
func TestNothingIsDrawnOverThePager(t *testing.T) {
	server := httptest.NewServer(&largeFleet{users: 40, calls: map[string]int{}})
	defer server.Close()
	pager := filepath.Join(t.TempDir(), "pager")
	if err := os.WriteFile(pager, []byte("#!/bin/sh\necho BEGINS >&2\nsleep 2\ncat >/dev/null\necho READ >&2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, talk := seenAt(t, 100, append(fleetEnv(t, server.URL), "PAGER="+pager), "scan")
	_, over, begins := strings.Cut(talk, "BEGINS")
	over, _, reads := strings.Cut(over, "READ")
	if !begins || !reads || strings.TrimSpace(over) != "" {
		t.Errorf("over the list: %q in %q", over, talk)
	}
}

// TestHead: a reader who has seen enough ends a list quietly.
func TestHead(t *testing.T) {
	server := httptest.NewServer(&largeFleet{users: 3000, plain: true, calls: map[string]int{}})
	defer server.Close()
	for _, args := range [][]string{{"scan"}, {"scan", "--output", "json"}, {"scan", "--output", "csv"}, {"runs", "--output", "json"}} {
		cmd := exec.Command("dbmigrate", append(args, "--layout", "databases/{user}.sqlite")...)
		cmd.Dir, cmd.Env = t.TempDir(), fleetEnv(t, server.URL)
		var talk bytes.Buffer
		cmd.Stderr = &talk
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stdout = writer
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		writer.Close()
		if args[0] == "scan" {
			if line, err := bufio.NewReaderSize(reader, 16).ReadString('\n'); err != nil || line == "" {
				t.Errorf("%q: %v", args, err)
			}
		}
		reader.Close()
		if err := cmd.Wait(); err != nil || strings.Contains(talk.String(), "dbmigrate:") || strings.Contains(talk.String(), "pipe") {
			t.Errorf("%q: %v: %s", args, err, &talk)
		}
	}
}
