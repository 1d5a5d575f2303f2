package api

import (
	"context"
	"net/http"
	"time"

	"sluice/shared/contract"
)

// checkTime is how long a store may take to answer /readyz.
const checkTime = 2 * time.Second

func systemRoutes() []route {
	return []route{
		{http.MethodGet, "/healthz", "healthz", open, healthz},
		{http.MethodGet, "/readyz", "readyz", open, readyz},
		{http.MethodGet, "/openapi.json", "getOpenapi", open, getOpenAPI},
	}
}

// healthz tells that the process answers.
func healthz(_ *server, r *request) error {
	return reply(r, http.StatusOK, contract.Health{Status: contract.CheckStatusOK})
}

// readyz asks the stores.
func readyz(s *server, r *request) error {
	ctx, cancel := context.WithTimeout(r.Request.Context(), checkTime)
	defer cancel()
	out := contract.Readiness{Status: contract.CheckStatusOK, Checks: map[string]contract.CheckStatus{}}
	status := http.StatusOK
	for name, check := range s.Checks {
		out.Checks[name] = contract.CheckStatusOK
		if err := check(ctx); err != nil {
			out.Checks[name], out.Status, status = contract.CheckStatusFailing, contract.CheckStatusFailing, http.StatusServiceUnavailable
			r.err = err
		}
	}
	return reply(r, status, out)
}

func getOpenAPI(_ *server, r *request) error {
	r.Header("Cache-Control", "public, max-age=300")
	write(r, http.StatusOK, "application/json", contract.OpenAPIJSON())
	return nil
}
