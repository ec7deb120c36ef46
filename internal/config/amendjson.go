package config

import (
	"bytes"

	"github.com/tailscale/hujson"
)

// insertJSON puts the element at the end of its list, or the list at the end of the deepest object of its
// path that is there.
func insertJSON(text []byte, a Addition) ([]byte, error) {
	top, err := hujson.Parse(bytes.Clone(text))
	if err != nil {
		return nil, err
	}
	at, depth := &top, 0
	for ; depth < len(a.Path); depth++ {
		object, isObject := at.Value.(*hujson.Object)
		if !isObject {
			return nil, errByHand
		}
		next := member(object, a.Path[depth])
		if next == nil {
			break
		}
		at = next
	}
	whole := &container{text: text, start: at.StartOffset, end: at.EndOffset}
	switch v := at.Value.(type) {
	case *hujson.Object:
		if depth == len(a.Path) {
			return nil, errByHand
		}
		if n := len(v.Members); n > 0 {
			whole.last = &v.Members[n-1].Value
			whole.lastStart = v.Members[n-1].Name.StartOffset
		}
		return whole.add(a.Member(depth)), nil
	case *hujson.Array:
		if depth < len(a.Path) {
			return nil, errByHand
		}
		if n := len(v.Elements); n > 0 {
			whole.last = &v.Elements[n-1]
			whole.lastStart = whole.last.StartOffset
		}
		return whole.add(a.JSON()), nil
	}
	return nil, errByHand
}

// member is the last of that name, as for every reader of JSON.
func member(object *hujson.Object, name string) *hujson.Value {
	for i := len(object.Members) - 1; i >= 0; i-- {
		if m := &object.Members[i]; m.Name.Value.(hujson.Literal).String() == name {
			return &m.Value
		}
	}
	return nil
}

// container is an object or a list in a text.
type container struct {
	text       []byte
	start, end int
	// last is the last value in it, if there is one. It begins, with its name, at lastStart.
	last      *hujson.Value
	lastStart int
}

// hasComma says whether one follows the last value: only then is there something between the two.
func (c *container) hasComma() bool { return c.last.AfterExtra != nil }

// add puts an item after the last one: on a line of its own if the last one has one. What stands behind the
// last one on its line, such as a comment, stays with it.
func (c *container) add(item string) []byte {
	if c.last == nil {
		after := c.start + 1
		return c.splice(edit{after, " " + item + " "})
	}
	behind := c.last.EndOffset
	if c.hasComma() {
		behind += len(c.last.AfterExtra) + 1
	}
	line := lineEnd(c.text[behind : c.end-1])
	comma, ends := edit{c.last.EndOffset, ","}, ""
	if c.hasComma() {
		comma.text, ends = "", ","
	}
	if line < 0 {
		return c.splice(comma, edit{behind, " " + item + ends})
	}
	return c.splice(comma, edit{behind + line, c.newline() + c.indent() + item + ends})
}

// edit is what goes in at an offset.
type edit struct {
	at   int
	text string
}

func (c *container) splice(edits ...edit) []byte {
	var out []byte
	done := 0
	for _, e := range edits {
		out = append(append(out, c.text[done:e.at]...), e.text...)
		done = e.at
	}
	return append(out, c.text[done:]...)
}

// lineEnd is where the first line of white space and comments ends; below zero if it does not.
func lineEnd(extra []byte) int {
	inBlock, inLine := false, false
	for i := 0; i < len(extra); i++ {
		rest := extra[i:]
		switch {
		case inBlock:
			inBlock = !bytes.HasSuffix(extra[:i+1], []byte("*/"))
		case bytes.HasPrefix(rest, []byte("//")):
			inLine = true
		case inLine && rest[0] != '\r' && rest[0] != '\n':
		case bytes.HasPrefix(rest, []byte("/*")):
			inBlock = true
			i++
		case bytes.HasPrefix(rest, []byte("\r\n")), rest[0] == '\n':
			return i
		}
	}
	return -1
}

func (c *container) newline() string { return newlineOf(c.text) }

// indent is that of the line on which the last item begins.
func (c *container) indent() string {
	line := c.text[bytes.LastIndexByte(c.text[:c.lastStart], '\n')+1 : c.lastStart]
	return string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
}
