package inspect

import (
	"context"
	"sync"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Sick tells an object that cannot be read from a service that is down, while many objects are looked at: the
// first is that user's failure, the second ends the command. The zero Sick has seen nothing.
type Sick struct {
	mu         sync.Mutex
	well, sick int
	first      error
}

// fewSick is up to how many objects may be sick before anything is concluded from their share.
const fewSick = 16

// Saw counts one look. It returns the error with which to stop: most looks fail, or the command was
// interrupted.
func (s *Sick) Saw(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.well++
		return nil
	case isInterrupted(err):
		return err
	}
	s.sick++
	if s.first == nil {
		s.first = err
	}
	if s.sick >= fewSick && s.sick > s.well {
		return s.first
	}
	return nil
}

// Most is asked when all were looked at: it returns the first error when most looks failed.
func (s *Sick) Most() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sick > s.well {
		return s.first
	}
	return nil
}

// LookUp asks for each named user's file, without flags, in the order of the users. A user without one is
// Missing: the command that follows says what that means.
func (e *Inspector) LookUp(ctx context.Context, users []userdb.UserID) ([]Found, error) {
	found := make([]Found, len(users))
	var sick Sick
	err := parallel.Each(ctx, len(users), headsAtOnce, func(ctx context.Context, i int) error {
		f := Found{User: users[i], Key: e.Layout.Key(users[i]), Place: PlaceMissing}
		object, err := e.Files.Head(ctx, f.Key)
		switch {
		case userdb.KindOf(err) == userdb.NotFound:
			err = nil
		case err != nil:
			f.Place, f.Err = PlaceUnreadable, err
		default:
			f.Bytes, f.ETag, f.Place = object.Size, object.ETag, placeOf(object)
		}
		found[i] = f
		return sick.Saw(err)
	})
	if err == nil {
		err = sick.Most()
	}
	return found, err
}

// placeOf is where the user is by the metadata alone.
func placeOf(object userdb.Object) Place {
	switch {
	case userdb.MetadataFenced(object.Metadata):
		return PlaceObject
	case userdb.MetadataHotOf(object.Metadata) != 0:
		return PlaceSplit
	}
	return PlaceFile
}
