// Package terminal is everything that dbmigrate writes for people and scripts. Its rules:
//
//   - stdout is data: a table, JSON lines or CSV, and nothing else. It is empty when a command fails before it has any.
//   - stderr is talk: what is going on, progress, errors. An error is one line, "dbmigrate: operation thing: cause (way out)"; with
//     --output json it is one JSON line.
//   - A progress bar and colours are for terminals only. A log gets plain lines, seldom. NO_COLOR is honoured.
//   - Names and messages come from buckets, databases and servers: control characters are escaped before a terminal sees them.
package terminal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/dbmigrate/dbmigrate/internal/escape"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Format is how data is written to stdout.
type Format string

// The formats.
const (
	Table Format = "table" // for people: aligned columns
	JSON  Format = "json"  // one object a line (docs/scripting.md)
	CSV   Format = "csv"   // RFC 4180 with a header line
)

// Formats are all formats, for help and completion.
var Formats = []string{string(Table), string(JSON), string(CSV)}

// Options say where output goes. Terminal flags decide about bars and colours.
type Options struct {
	Out, Err                 io.Writer
	OutTerminal, ErrTerminal bool
	Colour                   bool // allowed at all: false under NO_COLOR
	Format                   Format
	Quiet                    bool // no talk but warnings and errors
	Verbose                  bool // each step of each user
	// Width and Height are those of the terminal at stdout, asked at each use; nil: it has none.
	Width, Height func() int
	// UTF8 says that terminals show all of Unicode.
	UTF8 bool
	// Pager begins to show a long table page by page; nil: it is written as it is.
	Pager func() (io.WriteCloser, error)
	// StepSummary is the file to which a CI job's Markdown summary is appended; "" is none
	// (GITHUB_STEP_SUMMARY).
	StepSummary string
}

// Output is one command's way of speaking. It is safe for concurrent use: lines never mix, and never hit the
// progress.
type Output struct {
	Options
	mu        sync.Mutex
	block     *block
	spoke     time.Time // when something was written last that a reader of stderr sees
	following bool      // a run is followed, which has its own lines
	paged     bool      // a pager has the screen
	at        string    // where the command is, in parentheses
}

// New makes an Output.
func New(o Options) *Output { return &Output{Options: o, spoke: time.Now()} }

// Detail writes one line of talk for those who want every step.
func (o *Output) Detail(format string, args ...any) {
	if o.Verbose {
		o.talk(escape.Text(fmt.Sprintf(format, args...)), Plain)
	}
}

// Say writes one line of talk.
func (o *Output) Say(format string, args ...any) {
	if o.Quiet {
		return
	}
	o.talk(escape.Text(fmt.Sprintf(format, args...)), Plain)
}

// Warn writes one line of talk that a person should not miss.
func (o *Output) Warn(format string, args ...any) {
	o.talk(escape.Text(fmt.Sprintf(format, args...)), Attention)
}

// Error writes why the command failed, as the last thing that it says.
func (o *Output) Error(err error, exit int) {
	if o.Format != JSON {
		o.talk("dbmigrate: "+escape.Text(err.Error()), Plain)
		return
	}
	line, marshalErr := json.Marshal(struct {
		Error userdb.ErrorJSON `json:"error"`
		Exit  int              `json:"exit"`
	}{userdb.ErrorOf(err), exit})
	if marshalErr != nil {
		line = []byte(marshalErr.Error())
	}
	// Nothing is left to tell anybody when stderr is gone.
	_ = o.write(o.Err, append(escape.JSON(line), '\n'))
}

// talk writes a line, which a terminal gets in lines that it has room for.
func (o *Output) talk(line string, style Style) {
	lines := wrapTalk(line, o.talkRoom())
	for i := range lines {
		lines[i] = o.errStyle(style).paint(lines[i])
	}
	if rest, found := strings.CutPrefix(lines[0], errorHead); found {
		lines[0] = o.errStyle(Bad).paint(errorHead) + rest
	}
	_ = o.write(o.Err, []byte(strings.Join(lines, "\n"+talkIndent)+"\n"))
}

// errorHead begins the line that says why a command failed.
const errorHead = "dbmigrate:"

// talkRoom is how wide a line of talk may be; 0: no terminal is at stderr.
func (o *Output) talkRoom() int {
	f, isFile := o.Err.(*os.File)
	if !o.ErrTerminal || !isFile {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil || width <= 0 {
		return 0
	}
	return max(width-1, 20)
}

// write moves the block out of the way, writes, and puts it back.
func (o *Output) write(w io.Writer, text []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.block.hide()
	_, err := w.Write(text)
	if w == o.Err || o.OutTerminal { // else stdout may be a file
		o.spoke = time.Now()
	}
	o.block.show()
	if errors.Is(err, syscall.EPIPE) && w == o.Out {
		return fmt.Errorf("%w: %w", ErrReaderGone, err)
	}
	return err
}

// page leaves the screen to a pager: a person who reads is not waited for, so nothing is said of silence. The
// function that it returns takes the screen back.
func (o *Output) page() (back func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.block.hide()
	o.block, o.paged = nil, true
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.paged, o.spoke = false, time.Now()
	}
}

// Rest is told that the command waits on purpose, such as between two looks: that is no silence. The function
// that it returns ends it.
func (o *Output) Rest() (back func()) { return o.page() }

// ErrReaderGone says that nobody reads stdout any more, as after `| head`.
var ErrReaderGone = errors.New("nobody reads standard output any more")

// tallerThanScreen says whether a text does not fit the terminal.
func (o *Output) tallerThanScreen(text []byte) bool {
	return o.OutTerminal && o.Height != nil && bytes.Count(text, []byte{'\n'}) >= o.Height()
}
