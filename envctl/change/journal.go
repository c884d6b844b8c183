package change

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A State says how far a journaled change has come.
type State string

// The states.
const (
	Begun   State = "begun"   // in flight, or the process was killed
	Applied State = "applied" // done
	Aborted State = "aborted" // failed, and rolled back
	Undone  State = "undone"  // taken back later by another change
)

// A Record is one line of the journal. Nothing in it is secret.
type Record struct {
	ID      string
	At      time.Time
	Actor   string // "cli", "tui", "auto"
	Title   string
	Actions []Action
	Hashes  []string // parallel to Actions: salted hash of the raw new value (see [HashValue]); may be empty
	Undoes  string   // the change that this one takes back
	Expires time.Time

	State    State
	DoneAt   time.Time
	UndoneAt time.Time
	UndoneBy string
	Why      string // why it was aborted
}

// A Journal keeps records durably. Begin returns only when the record would
// survive a power failure. [gpx/history] implements it on SQLite.
type Journal interface {
	Begin(ctx context.Context, r Record) error
	Commit(ctx context.Context, id string, at time.Time) error
	Abort(ctx context.Context, id, why string) error
	MarkUndone(ctx context.Context, id, by string, at time.Time) error
	// List returns every record, oldest first.
	List(ctx context.Context) ([]Record, error)
}

// HashValue returns a hash of a raw value under a fresh random salt, as
// "salt:hash" in hexadecimal. It lets a later process recognise the value
// without keeping it.
func HashValue(value string) string {
	salt := make([]byte, 16)
	rand.Read(salt)
	return hashWith(hex.EncodeToString(salt), value)
}

// MatchesHash reports whether hash was made by [HashValue] from value.
func MatchesHash(hash, value string) bool {
	salt, _, ok := strings.Cut(hash, ":")
	return ok && subtle.ConstantTimeCompare([]byte(hash), []byte(hashWith(salt, value))) == 1
}

func hashWith(salt, value string) string {
	sum := sha256.Sum256([]byte(salt + "\x00" + value))
	return salt + ":" + hex.EncodeToString(sum[:])
}

// NewMemoryJournal returns a journal that is forgotten with the process: for
// tests, and for when the database cannot be used.
func NewMemoryJournal() Journal { return &memory{} }

type memory struct {
	mu      sync.Mutex
	records []Record
}

func (m *memory) Begin(_ context.Context, r Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.find(r.ID) != nil {
		return fmt.Errorf("change %s is in the journal already", r.ID)
	}
	r.State = Begun
	r.Actions = slices.Clone(r.Actions)
	m.records = append(m.records, r)
	return nil
}

func (m *memory) Commit(_ context.Context, id string, at time.Time) error {
	return m.update(id, func(r *Record) { r.State, r.DoneAt = Applied, at })
}

func (m *memory) Abort(_ context.Context, id, why string) error {
	return m.update(id, func(r *Record) { r.State, r.Why = Aborted, why })
}

func (m *memory) MarkUndone(_ context.Context, id, by string, at time.Time) error {
	return m.update(id, func(r *Record) { r.State, r.UndoneBy, r.UndoneAt = Undone, by, at })
}

func (m *memory) List(context.Context) ([]Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.records), nil
}

func (m *memory) update(id string, f func(*Record)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.find(id)
	if r == nil {
		return fmt.Errorf("change %s is not in the journal", id)
	}
	f(r)
	return nil
}

func (m *memory) find(id string) *Record {
	for i := range m.records {
		if m.records[i].ID == id {
			return &m.records[i]
		}
	}
	return nil
}
