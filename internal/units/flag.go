package units

import (
	"strings"
	"time"
)

// SizeFlag is the value of a flag such as 1MB.
type SizeFlag struct {
	Bytes int64
	Given bool
}

// Set reads the flag.
func (f *SizeFlag) Set(s string) (err error) {
	f.Bytes, err = ParseSize(s)
	f.Given = true
	return err
}

// Type names the value in help texts.
func (*SizeFlag) Type() string { return "size" }

// String writes whole units without decimals, so that a default in a help text reads as one would type it.
func (f *SizeFlag) String() string {
	if f.Bytes == 0 {
		return ""
	}
	return strings.NewReplacer(".00 ", "", " ", "").Replace(FormatSize(f.Bytes))
}

// AgeFlag is the value of a flag such as 30d. It keeps what was typed, so that a suggested command repeats it
// exactly.
type AgeFlag struct {
	time.Duration
	Typed string
}

// Set reads the flag.
func (f *AgeFlag) Set(s string) (err error) {
	f.Duration, err = ParseDuration(s)
	f.Typed = s
	return err
}

// Type names the value in help texts.
func (*AgeFlag) Type() string { return "age" }

// String is what was typed.
func (f *AgeFlag) String() string { return f.Typed }
