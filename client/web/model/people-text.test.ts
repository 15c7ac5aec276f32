import { expect, test } from "@jest/globals";
import { listOf, typingText } from "./people-text.ts";

test.each([
  [["ana"], "ana"],
  [["ana", "bob"], "ana and bob"],
  [["ana", "bob", "cem"], "ana, bob and cem"],
  [["ana", "bob", "cem", "dan"], "ana, bob and 2 others"],
])("names %j in a row", (names, text) => expect(listOf(names)).toBe(text));

test.each([
  [[], ""],
  [["ana"], "ana is typing…"],
  [["ana", "bob"], "ana and bob are typing…"],
  [["ana", "bob", "cem"], "3 people are typing…"],
])("says that %j are typing", (names, text) => expect(typingText(names)).toBe(text));
