import { mount } from "svelte";

import App from "./App.svelte";
import "./style/tokens.css";
import "./style/base.css";
import "./style/parts.css";
import "./style/figures.css";
import "./style/editing.css";
import "./style/operations.css";

document.getElementById("boot")?.remove(); // what is seen while this script is on its way
mount(App, { target: document.body });
