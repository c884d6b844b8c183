package change

import (
	"context"
	"encoding/json"
	"fmt"

	"gpx/envctl/redact"
)

// Replaced returns what change id has replaced in the user's go env file: the raw
// value of a variable as it was before, or that it was not set. It is there as long
// as the change can be taken back.
func (c *Changer) Replaced(_ context.Context, id, name string) (Assignment, error) {
	steps, err := c.images(id)
	if err != nil {
		return Assignment{}, brief(err)
	}
	for _, s := range steps {
		var v variableStep
		if s.Action.Kind == SetVariable && json.Unmarshal(s.Payload, &v) == nil && v.Name == name {
			return Assignment{Name: name, Value: deref(v.Old), Unset: v.Old == nil}, nil
		}
	}
	return Assignment{}, fmt.Errorf("change %s set no %s", redact.Clean(id), redact.Clean(name))
}
