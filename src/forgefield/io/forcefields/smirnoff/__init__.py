"""Force fields of the Open Force Field initiative: parameters by SMARTS."""
