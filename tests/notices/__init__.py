"""Who is told what about an incident, in the product and outside it."""
