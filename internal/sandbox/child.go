package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// child is one process.
type child struct {
	cmd     *exec.Cmd
	jobs    *json.Encoder
	stdin   io.Closer
	answers *json.Decoder
	said    *lastWords
}

// kept are the variables that a process gets: where scratch files go, and what an operating system needs.
// Credentials it does not need.
var kept = []string{"TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "SQLITE_TMPDIR", "GOCOVERDIR"}

func start(memory int64) (*child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(program), said: &lastWords{}}
	// The name under which this program was started may say what it is.
	c.cmd.Args = []string{os.Args[0], Argument, strconv.FormatInt(memory, 10)}
	c.cmd.Env = slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return !slices.Contains(kept, strings.ToUpper(name))
	})
	// Each thread takes address space, which is what is bounded; one works, and another collects garbage.
	c.cmd.Env = append(c.cmd.Env, "GOMAXPROCS=2")
	c.cmd.Stderr = c.said
	stdin, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.jobs, c.stdin, c.answers = json.NewEncoder(stdin), stdin, json.NewDecoder(stdout)
	return c, c.cmd.Start()
}

// ask has a job done. An error means that the process is of no more use.
func (c *child) ask(j job) (answer, error) {
	if err := c.jobs.Encode(j); err != nil {
		return answer{}, err
	}
	var a answer
	err := c.answers.Decode(&a)
	return a, err
}

// end stops the process, whatever it does, and waits for that.
func (c *child) end() {
	c.stdin.Close()
	c.cmd.Process.Kill()
	c.cmd.Wait() // it was killed: that it says so is no news
}

// ranOutOfMemory says whether an ended process said so.
func (c *child) ranOutOfMemory() bool {
	said := c.said.String()
	for _, words := range []string{"out of memory", "cannot allocate memory", "pthread_create failed"} {
		if strings.Contains(said, words) {
			return true
		}
	}
	return false
}

// lastWords keeps the beginning of what a process says before it dies: Go puts the reason first.
type lastWords struct {
	mu   sync.Mutex
	text bytes.Buffer
}

const lastWordsBytes = 4 << 10

func (t *lastWords) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text.Write(p[:min(len(p), max(0, lastWordsBytes-t.text.Len()))])
	return len(p), nil
}

func (t *lastWords) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}
