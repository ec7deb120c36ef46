package scan

import (
	"errors"

	"github.com/dbmigrate/dbmigrate/internal/selection"
)

// Sample is the flag --deep, alone or with a share of the files.
type Sample struct {
	On    bool
	Share float64 // 0: all
}

// WholeSample is what --deep means alone.
const WholeSample = "all"

// Set reads the flag.
func (f *Sample) Set(text string) error {
	switch text {
	case WholeSample, "true":
		*f = Sample{On: true}
		return nil
	case "false":
		*f = Sample{}
		return nil
	}
	share, err := selection.ParsePercent(text)
	if err == nil && share == 0 {
		err = errors.New("a share of 0 reads nothing")
	}
	*f = Sample{On: true, Share: share}
	if share == 100 {
		f.Share = 0
	}
	return err
}

// Type names the value in help texts.
func (*Sample) Type() string { return "share" }

// String is the value as one would type it.
func (f *Sample) String() string {
	switch {
	case !f.On:
		return ""
	case f.Share == 0:
		return WholeSample
	}
	return selection.FormatPercent(f.Share)
}
