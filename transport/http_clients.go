package transport

import (
	"encoding/json"

	"github.com/restante/restante/protocol"
)

// defaultListLimit is how many clients one page of the list holds where the caller does not say.
const defaultListLimit = 100

// Empty lists are written [], never null.
var (
	noFrames  = []json.RawMessage{}
	noClients = []protocol.State{}
)

// clientState is GET /v1/clients/{id}: looking creates nothing (P-29).
func (h *Handler) clientState(c *call) (answer, error) {
	id, err := c.client(VerbRead)
	if err != nil {
		return answer{}, err
	}
	state, err := h.reg.State(c.r.Context(), id)
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(state)
}

// listClients is GET /v1/clients: one page, after ?cursor=. An empty cursor is the beginning.
func (h *Handler) listClients(c *call) (answer, error) {
	if err := c.may(VerbList, ""); err != nil {
		return answer{}, err
	}
	cursor, limit, err := c.listPage("list", protocol.CheckClientID)
	if err != nil {
		return answer{}, err
	}
	list, err := h.reg.List(c.r.Context(), cursor, limit)
	if err != nil {
		return answer{}, err
	}
	if list.Clients == nil {
		list.Clients = noClients
	}
	return jsonAnswer(list)
}

// listPage is which page of a list the call asks for: after ?cursor=, which is a name that check takes or "" for the beginning, and ?limit= long.
func (c *call) listPage(what string, check func(string) error) (cursor string, limit int, err error) {
	if cursor, _, err = c.param("cursor"); err != nil {
		return "", 0, err
	}
	if cursor != "" && check(cursor) != nil {
		return "", 0, badRequest("the cursor of the %s is the one that its last page gave", what)
	}
	limit, err = c.limit(defaultListLimit)
	return cursor, limit, err
}

// deleteClient is DELETE /v1/clients/{id}.
func (h *Handler) deleteClient(c *call) (answer, error) {
	id, err := c.client(VerbDelete)
	if err != nil {
		return answer{}, err
	}
	if err := h.reg.Delete(c.r.Context(), id); err != nil {
		return answer{}, err
	}
	return noContent()
}

// sweep is POST /v1/janitor/sweep: it answers when the sweep is done.
func (h *Handler) sweep(c *call) (answer, error) {
	if err := c.may(VerbSweep, ""); err != nil {
		return answer{}, err
	}
	report, err := h.reg.Sweep(c.r.Context())
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(report)
}
