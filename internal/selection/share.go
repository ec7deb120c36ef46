package selection

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Share is a user's fixed place between 0 and 100. It depends on nothing but the id, so that waves on any
// machine agree.
func Share(u userdb.UserID) float64 {
	sum := sha256.Sum256([]byte("dbmigrate percent " + string(u)))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53) * 100
}

// Percent is the value of a flag such as 5 or 5%: a share of all users.
type Percent struct {
	Of    float64
	Given bool
}

// Includes says whether the share is one of those up to the percentage; without one every share is.
func (p Percent) Includes(u userdb.UserID) bool { return !p.Given || Share(u) < p.Of }

// Set reads the flag.
func (p *Percent) Set(text string) (err error) {
	p.Of, err = ParsePercent(text)
	p.Given = true
	return err
}

// Type names the value in help texts.
func (*Percent) Type() string { return "share" }

// String is the value as one would type it.
func (p *Percent) String() string {
	if !p.Given && p.Of == 0 {
		return ""
	}
	return FormatPercent(p.Of)
}

// ParsePercent reads 5 or 5%.
func ParsePercent(text string) (float64, error) {
	percent, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(text), "%"), 64)
	if err != nil || !(percent >= 0 && percent <= 100) {
		return 0, fmt.Errorf("must be a percentage from 0 to 100, not %q", text)
	}
	return percent, nil
}

// FormatPercent writes 5%.
func FormatPercent(percent float64) string { return strconv.FormatFloat(percent, 'f', -1, 64) + "%" }
