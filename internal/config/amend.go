package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/tailscale/hujson"
)

// Addition is one more element of a list in a wrangler file.
type Addition struct {
	// Path leads to the list from the top of the file.
	Path []string
	// Word is the element, where it is a string; otherwise Fields are.
	Word   string
	Fields []Field
}

// Field is one of an element that is an object. Its value is a string or a list of strings.
type Field struct {
	Name  string
	Value any
}

// errByHand says that the file has a form that is left to people.
var errByHand = errors.New("its form leaves no safe place for what is missing")

// Amendment is a wrangler file with more in its lists, not yet written.
type Amendment struct {
	path      string
	old, text []byte
	mode      os.FileMode
}

// Amend adds to the lists of the file at path, and leaves every other byte as it is. It reads the result
// again: a file that would say anything but what it says now and the additions is refused.
func Amend(path string, additions []Addition) (Amendment, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Amendment{}, usage("read", path, errors.Unwrap(err), "")
	}
	info, err := os.Stat(real)
	if err != nil {
		return Amendment{}, usage("read", path, errors.Unwrap(err), "")
	}
	old, err := os.ReadFile(real)
	if err != nil {
		return Amendment{}, usage("read", path, errors.Unwrap(err), "")
	}
	text, err := amended(old, filepath.Ext(path) == ".toml", additions)
	if err != nil {
		return Amendment{}, usage("add to", path, err, printsWhatToAdd)
	}
	return Amendment{path: real, old: old, text: text, mode: info.Mode().Perm()}, nil
}

const printsWhatToAdd = "nothing was written: dbmigrate init --worker prints what to add"

// Write replaces the file, if it is still the one that was read.
func (a Amendment) Write() error {
	if bytes.Equal(a.old, a.text) {
		return nil
	}
	now, err := os.ReadFile(a.path)
	if err != nil {
		return usage("read", a.path, errors.Unwrap(err), "")
	}
	if !bytes.Equal(now, a.old) {
		return usage("write", a.path, errors.New("somebody changed it meanwhile"), "run the command again")
	}
	return replaceAs(a.path, string(a.text), a.mode)
}

func amended(old []byte, isTOML bool, additions []Addition) ([]byte, error) {
	insert, parse := insertJSON, parseJSON
	if isTOML {
		insert, parse = insertTOML, parseTOML
	}
	want, err := parse(old)
	if err != nil {
		return nil, err
	}
	text := old
	for _, a := range additions {
		if text, err = insert(text, a); err != nil {
			return nil, err
		}
		if !appendTo(want, a) {
			return nil, errByHand
		}
	}
	got, err := parse(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		return nil, errByHand
	}
	return text, nil
}

func parseJSON(text []byte) (map[string]any, error) {
	standard, err := hujson.Standardize(bytes.Clone(text))
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "hujson: "))
	}
	var says map[string]any
	return says, json.Unmarshal(standard, &says)
}

// parseTOML goes through JSON, so that every list has one Go type.
func parseTOML(text []byte) (map[string]any, error) {
	var says map[string]any
	if _, err := toml.Decode(string(text), &says); err != nil {
		return nil, err
	}
	standard, err := json.Marshal(says)
	if err != nil {
		return nil, err
	}
	says = nil
	return says, json.Unmarshal(standard, &says)
}

// appendTo does to what a file says what its text is to say.
func appendTo(says map[string]any, a Addition) bool {
	for _, name := range a.Path[:len(a.Path)-1] {
		next, known := says[name]
		if !known {
			next = map[string]any{}
			says[name] = next
		}
		object, isObject := next.(map[string]any)
		if !isObject {
			return false
		}
		says = object
	}
	last := a.Path[len(a.Path)-1]
	list, isList := says[last].([]any)
	if says[last] != nil && !isList {
		return false
	}
	says[last] = append(list, a.value())
	return true
}

// value is the element as JSON has it.
func (a Addition) value() any {
	if a.Word != "" {
		return a.Word
	}
	object := map[string]any{}
	for _, f := range a.Fields {
		if words, isList := f.Value.([]string); isList {
			var list []any
			for _, word := range words {
				list = append(list, word)
			}
			object[f.Name] = list
			continue
		}
		object[f.Name] = f.Value
	}
	return object
}

// JSON is the element in a line.
func (a Addition) JSON() string { return a.line("{ ", `%s: %s`, " }") }

// inlineTOML is the element in a line.
func (a Addition) inlineTOML() string { return a.line("{ ", `%[1]s = %[2]s`, " }") }

func (a Addition) line(open, pair, end string) string {
	if a.Word != "" {
		return quoted(a.Word)
	}
	var pairs []string
	for _, f := range a.Fields {
		name := f.Name
		if !strings.Contains(pair, "=") {
			name = quoted(name)
		}
		pairs = append(pairs, fmt.Sprintf(pair, name, quoted(f.Value)))
	}
	return open + strings.Join(pairs, ", ") + end
}

// TOML is the element as a table of its own, or the whole list where elements are words.
func (a Addition) TOML() string {
	if a.Word != "" {
		return strings.Join(a.Path, ".") + " = [" + quoted(a.Word) + "]"
	}
	lines := []string{"[[" + dotted(a.Path) + "]]"}
	for _, f := range a.Fields {
		lines = append(lines, f.Name+" = "+quoted(f.Value))
	}
	return strings.Join(lines, "\n")
}

// Member is the addition as a member of an object that has none of the path after the first `from` names.
func (a Addition) Member(from int) string {
	text := "[" + a.JSON() + "]"
	for i := len(a.Path) - 1; i >= from; i-- {
		text = quoted(a.Path[i]) + ": " + text
		if i > from {
			text = "{ " + text + " }"
		}
	}
	return text
}

// quoted is a string or a list of strings, in the spelling that JSON and TOML share.
func quoted(value any) string {
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false)
	_ = to.Encode(value) // a buffer takes everything, and these values can always be encoded
	return strings.TrimSuffix(text.String(), "\n")
}

// newlineOf is how lines of a text end.
func newlineOf(text []byte) string {
	if bytes.Contains(text, []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}

func dotted(path []string) string {
	names := make([]string, len(path))
	for i, name := range path {
		names[i] = name
		if !profileName.MatchString(name) {
			names[i] = quoted(name)
		}
	}
	return strings.Join(names, ".")
}
