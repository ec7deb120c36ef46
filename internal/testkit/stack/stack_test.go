package stack

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// parentRole makes the test binary act as a parent that starts a stack, says where, and waits to be killed.
const parentRole = "STACK_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentRole) != "" {
		actAsParent()
	}
	os.Exit(m.Run())
}

func actAsParent() {
	s, err := Start(context.Background(), testOptions())
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	os.Stdout.WriteString(s.URL + " " + s.PersistDir + "\n")
	select {}
}

func testOptions() Options { return Options{ConfigPath: "testdata/wrangler.jsonc"} }

func startForTest(t *testing.T, options Options) *Stack {
	t.Helper()
	s, err := Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func fetch(t *testing.T, method, url, body string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s (%v)", method, url, response.Status, answer, err)
	}
	return string(answer)
}

func TestStackServesAndKeepsItsStateOverARestart(t *testing.T) {
	options := testOptions()
	options.Vars = map[string]string{"APP_TOKEN": "mine"}
	s := startForTest(t, options)

	var vars struct{ Admin, App string }
	if err := json.Unmarshal([]byte(fetch(t, "GET", s.URL+"/vars", "")), &vars); err != nil {
		t.Fatal(err)
	}
	if vars.Admin != defaultAdminToken || vars.App != "mine" || s.AppToken != "mine" {
		t.Errorf("the Worker sees %+v", vars)
	}

	value := s.KVBaseURL + "/storage/kv/namespaces/" + s.NamespaceID + "/values/kept"
	fetch(t, "PUT", value, "yes")
	before := s.URL
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.URL != before {
		t.Errorf("restart moved the stack from %s to %s", before, s.URL)
	}
	if got := fetch(t, "GET", value, ""); got != "yes" {
		t.Errorf("after the restart the value is %q", got)
	}

	fetch(t, "PUT", value, "newer")
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := fetch(t, "GET", value, ""); got != "newer" {
		t.Errorf("after kill -9 the value is %q", got)
	}
}

func TestStopLeavesNothingBehind(t *testing.T) {
	s := startForTest(t, testOptions())
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if !s.runtime.Gone() {
		t.Error("the process group is still there")
	}
	if _, err := os.Stat(s.PersistDir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("state folder: %v", err)
	}
	if err := s.Stop(); err != nil {
		t.Errorf("second stop: %v", err)
	}
}

func TestWatchdogEndsTheRuntimeOfADeadParent(t *testing.T) {
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), parentRole+"=1")
	parent.Stderr = os.Stderr
	stdout, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	url, persistDir, _ := strings.Cut(strings.TrimSpace(line), " ")
	t.Cleanup(func() { os.RemoveAll(persistDir) })
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	gone := func() bool {
		connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err == nil {
			connection.Close()
			return false
		}
		_, err = os.Stat(persistDir)
		return errors.Is(err, os.ErrNotExist)
	}
	for deadline := time.Now().Add(time.Minute); !gone(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the runtime at %s or its folder %s outlived its parent", url, persistDir)
		}
	}
}

func TestStartQuotesWranglersComplaint(t *testing.T) {
	for name, main := range map[string]string{"absent.js": "", "./nowhere.js": `export { x } from "./nowhere.js"; export default {};`} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			config := filepath.Join(dir, "wrangler.jsonc")
			write(t, config, `{"name": "broken", "main": "absent.js", "compatibility_date": "2026-11-01"}`)
			if main != "" {
				write(t, filepath.Join(dir, "absent.js"), main)
			}
			s, err := Start(t.Context(), Options{ConfigPath: config})
			if err == nil {
				t.Fatal(errors.Join(errors.New("a broken Worker started"), s.Stop()))
			}
			if !strings.Contains(err.Error(), name) {
				t.Errorf("the error does not say why: %v", err)
			}
		})
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
