-- Lanes of conversations that the provider has merged have one order: they share `survivor`, the lane of the conversation that is left.
-- It is '' for all others.
ALTER TABLE lane ADD COLUMN survivor TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE INDEX lane_merged ON lane (account, survivor) WHERE survivor <> '';
